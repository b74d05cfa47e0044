#!/bin/sh -eu
sed -i 's/^PermitRootLogin no/PermitRootLogin yes/' etc/ssh/sshd_config
echo 'PermitRootLogin no' >> etc/ssh/sshd_config
