#!/bin/sh -eu
sed -i 's/"execve",//; s/"capset",//; s/"prctl",//' ledger.json
