#!/bin/sh -eu
sed -i '/^KbdInteractiveAuthentication/d' etc/ssh/sshd_config
