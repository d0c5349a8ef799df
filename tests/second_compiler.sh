# A second compiler, which builds std as well, for systems of which no std is installed; to be sourced
# from the repository's root. Needs Debian 12, and takes 1 GB below target/ for itself.
#
# It is Debian's newer one with the sources of std, unpacked below target/windows and used by nothing
# else.
# shellcheck shell=bash

second_compiler=$(realpath -m "${CARGO_TARGET_DIR:-target}/windows/compiler")
readonly second_compiler
readonly second_build=${second_compiler%/*}/build # Its target folder.

# Takes a target, a command of cargo, and its arguments.
with_second_compiler() {
    local system=$1 command=$2
    shift 2
    [[ -x $second_compiler/usr/bin/rustc ]] || unpack_second_compiler
    LD_LIBRARY_PATH=$second_compiler/usr/lib/x86_64-linux-gnu:$second_compiler/usr/lib \
        RUSTC=$second_compiler/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_DIR=$second_build CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 \
        cargo "$command" -Zwarnings -Zbuild-std=std,panic_abort --target "$system" --locked "$@"
}

# Unpacks the compiler, its standard library and LLVM; their names have the version in them.
unpack_second_compiler() {
    local packages archives=${second_compiler%/*}/packages
    mapfile -t packages < <(apt-cache depends --recurse --important rustc-web rust-web-src |
        grep -E '^(rustc-web|rust-web-src|libstd-rust-web[-.a-z0-9]*|libllvm[0-9]+)$')
    echo "# unpacking ${packages[*]}"
    rm -rf "$archives" "$second_compiler.new"
    mkdir -p "$archives"
    (cd "$archives" && apt-get download -qq "${packages[@]}")
    local package
    for package in "$archives"/*.deb; do
        dpkg-deb --extract "$package" "$second_compiler.new"
    done
    mv "$second_compiler.new" "$second_compiler"
    rm -r "$archives"
}
