#!/bin/sh -eu
sed -i.bak 's/flags=/flags-/' apparmor/catalog
