#!/bin/sh -eu
pkictl init-ca
