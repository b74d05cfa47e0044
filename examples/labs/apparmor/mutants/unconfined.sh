#!/bin/sh -eu
sed -i.bak 's/rmix/rmux/' apparmor/catalog
