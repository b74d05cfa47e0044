#!/bin/sh -eu
# The page as sha512sum reads it: the sum, two blanks, the name.
sed -n 's#^\(linux/[^ ]*\) | `\([0-9a-f]*\)`$#\2  \1#p' CHANGELOG-1.36.md > released
sed -n 's#  linux/amd64/#  #p' released > amd64
(cd downloads && sha512sum -c ../amd64 || true) > checked
cat checked
sum() { sha512sum "downloads/$1" | cut -d' ' -f1; }
for name in $(sed -n 's/: FAILED$//p' checked); do
  if grep -q "^$(sum "$name") " released; then
    mixed=$name
  else
    tampered=$name
  fi
done
cat > answers.yaml <<ANSWERS
tampered: $tampered
has: $(sum "$tampered")
released: $(sed -n "s/  $tampered\$//p" amd64)
mixed-up: $mixed
is: $(sed -n "s/^$(sum "$mixed")  //p" released)
install: [$(sed -n 's/: OK$//p' checked | paste -sd, -)]
ANSWERS
