#!/bin/sh
# A walk through the screen in tmux with real keys, against the scripted model. For people: it prints each screen and
# fails at the first that does not show what it should.
#
#   cargo build -p codex && bins/codex/tests/walk.sh target/debug/codex
set -eu
codex=$(realpath "${1:-target/debug/codex}")
here=$(dirname "$(realpath "$0")")
place=$(mktemp -d)
socket="codex-walk-$$"
"$codex" rehearse --serve 127.0.0.1:0 --script "$here/walk.json" >"$place/url" 2>/dev/null </dev/null &
server=$!
clean() {
    tmux -L "$socket" kill-server 2>/dev/null || true
    kill "$server" 2>/dev/null || true
    rm -rf "$place"
}
trap clean EXIT INT TERM
until grep -q '^http' "$place/url"; do sleep 0.1; done
mkdir -p "$place/home" "$place/project/.git"
cat >"$place/home/config.toml" <<CONFIG
model_provider = "local"
[model_providers.local]
name = "scripted"
base_url = "$(grep -m1 '^http' "$place/url")"
wire_api = "responses"
CONFIG

keys() { tmux -L "$socket" send-keys -t walk "$@"; }
shows() {
    tries=0
    until tmux -L "$socket" capture-pane -p -S - -t walk | grep -qF -- "$1"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 150 ]; then
            tmux -L "$socket" capture-pane -p -S - -t walk
            echo "walk: in vain: $1" >&2
            exit 1
        fi
        sleep 0.1
    done
}
step() { printf '\n--- %s\n' "$1"; tmux -L "$socket" capture-pane -p -t walk | sed '/^$/d' | tail -n 24; }

tmux -L "$socket" new-session -d -s walk -x 100 -y 32 "cd '$place/project'; CODEX_HOME='$place/home' exec sh"
keys "clear; $codex" Enter
shows 'Ask for anything'; step start
keys 'good day' Enter
shows 'Hello from the scripted model.'; step prompt
keys 'write a file' Enter
shows 'May I write approved.txt?'; step 'a question'
sleep 1; keys y
shows 'Written: approved.txt.'; step approved
[ -e "$place/project/approved.txt" ]
keys 'and another' Enter
shows 'May I write denied.txt?'
sleep 1; keys n
shows 'All right, not written.'; step denied
[ ! -e "$place/project/denied.txt" ]
keys 'take your time' Enter
shows 'sleep 3'
keys 'and read this, too' Enter
shows 'Steered: I have read both.'; step steered
keys 'begin' Enter
shows 'Begun, and then'
keys Escape
shows 'stopped'; step interrupted
keys C-d
shows 'codex resume'; step quit
keys "clear; $codex resume --last" Enter
shows 'Begun, and then'
keys 'go on' Enter
shows 'Welcome back.'; step resumed
keys Escape; sleep 0.3; keys Escape
shows 'Back to an earlier prompt'; step rewind
keys Enter
shows 'back before that prompt'
keys C-u 'do it differently' Enter
shows 'Another way, then.'; step 'rewound'
keys C-d
sleep 0.5; step end
echo 'walk: all of it works'
