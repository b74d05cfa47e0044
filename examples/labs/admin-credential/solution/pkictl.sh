#!/bin/sh -eu
pkictl issue --cn kube-admin --group system:masters --out admin
pkictl verify admin.crt
