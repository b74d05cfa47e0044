#!/bin/sh -eu
openssl genrsa -out pki/ca.key 2048
