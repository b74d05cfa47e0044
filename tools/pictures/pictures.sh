# Pictures of the wizard for the README: the real program in a real terminal, tmux,
# captured, drawn by freeze and made small. `make pictures` runs this.
set -eu

out=$(mkdir -p "$1" && cd "$1" && pwd)
scratch=$(mktemp -d)
home=$scratch/home/jane
socket=$scratch/tmux
trap 'tmux -S "$socket" kill-server 2>/dev/null || true; rm -rf "$scratch"' EXIT
mkdir -p "$home"
export HOME=$home LC_ALL=C.UTF-8 TERM=xterm-256color COLORTERM=truecolor
unset KUBECONFIG PKICTL_DIR NO_COLOR
cd "$home"

terminal() { tmux -u -f /dev/null -S "$socket" "$@"; }

# keys presses keys by tmux's names, text types letters.
keys() { terminal send-keys "$@"; }
text() { terminal send-keys -l -- "$1"; }

# see waits until a text is on the screen.
see() {
    for _ in $(seq 200); do
        if terminal capture-pane -p | grep -qF -- "$1"; then return; fi
        sleep 0.05
    done
    echo "error: there is no \"$1\" on the screen:" >&2
    terminal capture-pane -p >&2
    exit 1
}

# picture draws the screen.
picture() {
    sleep 0.3 # what is loading is there
    terminal capture-pane -p -e >"$scratch/$1.ansi"
    freeze "$scratch/$1.ansi" --language ansi --theme github-dark --background '#0d1117' \
        --padding 8 --font.size 7 --output "$out/$1.png" >/dev/null
    pictures "$out/$1.png"
    echo "made $1.png"
}

# wizard starts it, in a terminal of so many columns.
wizard() {
    while terminal kill-server 2>/dev/null; do sleep 0.1; done
    terminal new-session -d -x "${1:-100}" -y 30 -c "$home" pkictl wizard
    terminal set-option -g status off
}

# A PKI directory with certificates of all ages.
past() { # NAME GROUP DAYS-LEFT
    pkictl issue --quiet --cn "$1" --group "$2" --validity "$3" "${@:4}"
}
pkictl init-ca --quiet
past jane developers 8h
past omar developers 6d
past lena oncall 25d
past build-bot ci 80d
past monitoring metrics 90d
past kube-apiserver kubernetes 1y --profile server --dns kubernetes.default.svc --ip 10.96.0.1
past etcd-server etcd 1y --profile peer --dns cp-1
for name in ada ben cho dee eli fay gus hal ivy joe kim; do past "$name" developers 60d; done
pkictl revoke ben --reason superseded --yes --quiet

wizard
see "What would you like to do?"
picture home

text credential; see "Credential"; keys Enter
see "For whom?"; keys Enter; keys Enter
see "User (common name)"; text mia; keys Enter; text developers; keys Enter
see "Valid for"; keys Enter; text 8h; keys Enter
see "Write one?"; text y; keys Enter
keys C-u; text mia.conf; keys Enter
text https://10.0.0.10:6443; keys Enter; keys Enter; text shop; keys Enter
see "One file, too?"; keys Enter
see "step 6 of 6"; keys Enter
see "Issue it?"
picture credential
keys C-c

wizard
see "What would you like to do?"; text inventory; keys Enter
see "jane"; keys Down; keys Down; keys Down
picture inventory
keys C-c

wizard 130
see "What would you like to do?"; text labs; keys Enter
see "The CA of a cluster"; keys Down Enter
see "enter start"; keys Enter
see "Checks"; keys h
# Half a solution: no key usage, and one year.
lab=$home/pkictl-labs/cluster-ca
mkdir "$lab/pki"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$lab/pki/ca.key" -out "$lab/pki/ca.crt" \
    -subj /CN=KUBERNETES-CA -days 365 2>/dev/null
see "7 of 10"; keys e
picture lab
keys C-c
