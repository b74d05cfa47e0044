#!/bin/sh -eu
echo 'blacklist overlay' >> etc/modprobe.d/kubernetes-hardening.conf
