# For bash scripts that build packages: the Python of a release, and the wheels for it.
# Sets python_version, platforms and SOURCE_DATE_EPOCH; needs python, here and checkout.

SOURCE_DATE_EPOCH=$(git -C "$checkout" log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC
umask 022
platforms=()
for libc in manylinux_2_28 manylinux_2_17 manylinux2014; do
  platforms+=(--platform "${libc}_$(uname -m)")
done

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# fetch_wheels RELEASE FOLDER: the locked dependencies, and this checkout.
fetch_wheels() {
  case $1 in
    bookworm) python_version=3.11 ;;
    trixie) python_version=3.13 ;;
    *) say "no such release: $1 (bookworm or trixie)"; exit 1 ;;
  esac
  say "fetching wheels for Python $python_version"
  "$python" -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps \
    --only-binary=:all: --implementation cp --python-version "$python_version" "${platforms[@]}" \
    --dest "$2" --requirement "$here/requirements.lock"
  (cd "$checkout" && "$python" -m hatchling build -t wheel -d "$2" >/dev/null 2>&1)
}
