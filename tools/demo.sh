# The main job: from an empty directory to an administrator's credential.
# `make demo` runs this in ./demo, with pkictl on the PATH.
set -eu

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

run pkictl init-ca
run pkictl issue --cn kube-admin --group system:masters
run pkictl list

cat <<'END'

Made in ./demo/pki:
  ca.crt          trust this: kube-apiserver --client-ca-file ca.crt
  ca.key          keep this: whoever has it is administrator
  kube-admin.*    the credential of user kube-admin, group system:masters
  inventory.db    all that this CA has issued: pkictl list

Use it, with the address of your API server:
  kubectl --server https://10.0.0.10:6443 --certificate-authority demo/pki/ca.crt \
    --client-certificate demo/pki/kube-admin.crt --client-key demo/pki/kube-admin.key get nodes

Or have a kubeconfig written with the credential:
  cd demo
  ../bin/pkictl issue --cn jane --group developers --validity 8h \
    --kubeconfig jane.conf --server https://10.0.0.10:6443
  kubectl --kubeconfig jane.conf auth whoami
END
