#!/bin/sh -eu
sed -i.bak s/SCMP_ACT_ERRNO/SCMP_ACT_KILL/ profiles/violation.json
