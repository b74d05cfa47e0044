#!/bin/sh -eu
echo 'PasswordAuthentication yes' > etc/ssh/sshd_config.d/50-cloud-init.conf
