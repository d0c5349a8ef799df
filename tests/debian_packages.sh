# Installs packages of Debian for the scripts that need them; to be sourced from the repository's root.
# Scripts may do so at the same time.
# shellcheck shell=bash

# Takes the names of packages, which may be none.
install_debian_packages() {
    (($# > 0)) || return 0
    echo "# installing $*"
    # A caller may have a readonly `target`, which `local` cannot shadow.
    local as_root=() lock_folder=${CARGO_TARGET_DIR:-target}
    ((EUID == 0)) || as_root=(sudo --non-interactive)
    mkdir -p "$lock_folder"
    (
        flock 9
        twice "${as_root[@]}" apt-get update -qq &&
            twice "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    ) 9>"$lock_folder/apt.lock"
}

twice() {
    "$@" || {
        echo "# once more: $*" >&2
        "$@"
    }
}
