#!/bin/sh -eu
sed -i '/^blacklist/d' etc/modprobe.d/kubernetes-hardening.conf
