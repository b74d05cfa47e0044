#!/bin/sh -eu
sed -i 's/^PasswordAuthentication/PasswordAuthentification/' etc/ssh/sshd_config
