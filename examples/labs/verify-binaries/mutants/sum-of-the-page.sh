#!/bin/sh -eu
sed -i -e 's/^has:/x:/' -e 's/^released:/has:/' -e 's/^x:/released:/' answers.yaml
