#!/bin/sh -eu
openssl genrsa -out dana.key 1024
