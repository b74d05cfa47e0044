#!/bin/sh -eu
sed -i 's/"access",//; s/"connect",//' ledger.json
