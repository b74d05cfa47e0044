#!/bin/sh -eu
sed -i 's/^PermitRootLogin no/PermitRootLogin prohibit-password/' etc/ssh/sshd_config
