# Starts the example `echoserver` for a script that tests it; to be sourced from the repository's
# root. Sets `url` and `server`, the process that is stopped when the script ends.
# shellcheck shell=bash

readonly server_start_deadline=20 # Seconds until the server says where it listens.
url=
server=

# Takes the folder for the server's log, and options of cargo such as --release.
start_echo_server() {
    local log=$1/server.log profile=debug
    shift
    [[ $* != *--release* ]] || profile=release
    cargo build --quiet --locked --example echoserver "$@"
    # The reading end stays open for as long as the server may print.
    exec {server_output}< <(
        exec "${CARGO_TARGET_DIR:-target}/$profile/examples/echoserver" --port 0 2>"$log"
    )
    server=$!
    trap 'kill "$server" 2>/dev/null || true' EXIT

    local line=
    if ! read -r -t "$server_start_deadline" -u "$server_output" line ||
        [[ $line != "listening on ws://"* ]]; then
        echo "the server did not say where it listens, but: $line" >&2
        cat "$log" >&2
        exit 1
    fi
    # shellcheck disable=SC2034 # The script that sources this uses it.
    url=${line#listening on }
}
