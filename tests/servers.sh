# Starts servers for a script that tests them; to be sourced from the repository's root. They are
# stopped when the script ends.
# shellcheck shell=bash

readonly server_start_deadline=20 # Seconds until a server says where it listens.
servers=()                        # Their processes.
url=                              # Where the last one listens.

trap 'stop_servers' EXIT

# Takes the folder for the server's log, and options of cargo such as --release.
start_echo_server() {
    local folder=$1 profile=debug
    shift
    [[ $* != *--release* ]] || profile=release
    cargo build --quiet --workspace --locked --example echoserver "$@"
    start_server "$folder/server.log" "${CARGO_TARGET_DIR:-target}/$profile/examples/echoserver" --port 0
}

# Takes the file for the server's log, and a command that says where it listens.
start_server() {
    local log=$1 line output
    shift
    # The reading end stays open for as long as the server may print.
    exec {output}< <(exec "$@" 2>"$log")
    servers+=("$!")
    # shellcheck disable=SC2034 # The script that sources this uses `url`.
    if read -r -t "$server_start_deadline" -u "$output" line; then
        case $line in
            "listening on ws://"*)
                url=${line#listening on }
                return
                ;;
            *" listening on port "*)
                url=ws://127.0.0.1:${line##* }
                return
                ;;
        esac
    fi
    echo "$1 did not say where it listens, but: $line" >&2
    cat "$log" >&2
    exit 1
}

stop_servers() {
    ((${#servers[@]} == 0)) || kill "${servers[@]}" 2>/dev/null || true
}
