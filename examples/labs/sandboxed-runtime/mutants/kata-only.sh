#!/bin/sh -eu
sed -i.bak 's/^handler: kata-qemu/handler: kata/' runtimeclasses.yaml
