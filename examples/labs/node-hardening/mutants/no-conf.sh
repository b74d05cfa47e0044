#!/bin/sh -eu
mv etc/modprobe.d/kubernetes-hardening.conf etc/modprobe.d/kubernetes-hardening
