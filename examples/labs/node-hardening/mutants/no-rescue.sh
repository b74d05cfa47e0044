#!/bin/sh -eu
sed -i '/^Match/,$d' etc/ssh/sshd_config
