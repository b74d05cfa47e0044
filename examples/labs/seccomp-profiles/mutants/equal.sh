#!/bin/sh -eu
sed -i.bak -e 's/"SCMP_CMP_MASKED_EQ"/"SCMP_CMP_EQ"/' profiles/hardened.json
