#!/bin/sh -eu
sed -i 's/^Match User rescue Address.*/Match User rescue/' etc/ssh/sshd_config
