# For bash scripts that build packages: the Python of a release, and the wheels for it.
# Sets python_version, platforms and SOURCE_DATE_EPOCH; needs python, here and checkout.
# CACHE names a folder that keeps the locked wheels and the chroots for the next build.

SOURCE_DATE_EPOCH=$(git -C "$checkout" log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC
umask 022
platforms=()
for libc in manylinux_2_28 manylinux_2_17 manylinux2014; do
  platforms+=(--platform "${libc}_$(uname -m)")
done

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# use_builder MODULE…: a Python with pip and these modules. Where neither PYTHON is set nor the
# checkout's .venv has them, they are installed below $work, for this build alone.
use_builder() {
  local module modules=pip
  for module in "$@"; do modules=$modules,$module; done
  if "$python" -c "import $modules" 2>/dev/null; then return; fi
  if [ -n "${PYTHON:-}" ]; then say "$PYTHON lacks one of: pip $*. Install them, or unset PYTHON."; exit 1; fi
  python3 -c 'import ensurepip, venv' 2>/dev/null || {
    say "python3 makes no virtual environment: sudo apt-get install python3-venv"
    exit 1
  }
  say "installing $* for this build"
  python3 -m venv "$work/builder"
  python=$work/builder/bin/python
  "$python" -m pip install --quiet --disable-pip-version-check "$@"
}

_download() {
  local into=$1
  shift
  "$python" -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps \
    --only-binary=:all: --implementation cp --python-version "$python_version" "${platforms[@]}" \
    --dest "$into" --requirement "$here/requirements.lock" "$@"
}

# fetch_wheels RELEASE FOLDER: the locked dependencies, and this checkout.
fetch_wheels() {
  case $1 in
    bookworm) python_version=3.11 ;;
    trixie) python_version=3.13 ;;
    noble) python_version=3.12 ;;
    *) say "no such release: $1 (bookworm, trixie or noble)"; exit 1 ;;
  esac
  mkdir -p "$2"
  if [ -n "${CACHE:-}" ] && _download "$2" --no-index --find-links "$CACHE/wheels" 2>/dev/null; then
    :
  else
    say "fetching wheels for Python $python_version"
    _download "$2"
    if [ -n "${CACHE:-}" ]; then mkdir -p "$CACHE/wheels" && cp "$2"/*.whl "$CACHE/wheels/"; fi
  fi
  local log
  log=$(cd "$checkout" && "$python" -m hatchling build -t wheel -d "$2" 2>&1) ||
    { printf '%s\n' "$log" >&2; say "the wheel was not built"; exit 1; }
}

# install_wheels WHEELS FOLDER: all of them, for the release whose wheels they are.
install_wheels() {
  _install "$@" --require-hashes --requirement "$here/requirements.lock"
  # By name: of what is named by path, pip records the path.
  _install "$@" --platform any reconcile-host
}

_install() {
  local from=$1 into=$2
  shift 2
  "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
    --implementation cp --python-version "$python_version" --only-binary=:all: "${platforms[@]}" \
    --find-links "$from" --target "$into" "$@"
}
