#!/bin/sh
# Installs what the tests need on a Debian 12 that may hold nothing but python3: packages by apt
# (with sudo where not root), Python's by pip into .venv. Says what it installs; quiet when all is there.
#   tests/install.sh           what every run needs
#   tests/install.sh nightly   and a browser and a scanner, which only the nightly uses
set -eu
cd "$(dirname "$0")/.."

extras=dev suffix='' nightly=''
if [ "${1-}" = nightly ]; then
  extras=dev,nightly suffix=-nightly
  nightly='chromium chromium
sslscan sslscan'
fi

say() { printf 'tests: %s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing_packages() {
  # Programs of the superuser are not on everyone's PATH.
  PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
  while read -r program package; do
    [ -n "$program" ] || continue
    command -v "$program" >/dev/null || printf '%s ' "$package"
  done <<LIST
nginx nginx-light
git git
curl curl
strace strace
setfacl acl
setfattr attr
chattr e2fsprogs
mkfs.ext4 e2fsprogs
mkfs.btrfs btrfs-progs
rsync rsync
losetup mount
ip iproute2
pgrep procps
openssl openssl
gpg gnupg
ssh-keygen openssh-client
sshd openssh-server
promtool prometheus
mandoc mandoc
zsh zsh
fish fish
debootstrap debootstrap
systemd-nspawn systemd-container
$nightly
LIST
  python3 -c 'import ensurepip, venv' 2>/dev/null || printf '%s ' python3-venv
}

packages=$(missing_packages)
if [ -n "$packages" ]; then
  say "installing by apt: $packages"
  as_root apt-get -q update
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q install --yes --no-install-recommends $packages
fi

wanted=$(sha256sum pyproject.toml | cut -c1-16)
if [ ! -e ".venv/installed-$wanted$suffix" ]; then
  say "installing the project and its development tools into .venv"
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
  rm -f .venv/installed-*
  # What the nightly needs holds what every run needs.
  : >".venv/installed-$wanted"
  : >".venv/installed-$wanted$suffix"
fi
