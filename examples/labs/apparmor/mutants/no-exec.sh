#!/bin/sh -eu
sed -i.bak 's/rmix/rm/' apparmor/catalog
