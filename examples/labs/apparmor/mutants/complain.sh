#!/bin/sh -eu
sed -i.bak 's/flags=(/&complain,/' apparmor/catalog
