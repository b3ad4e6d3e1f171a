#!/usr/bin/env bash
# Installs what `cargo xtask guests` needs on a Debian machine that reaches package registries only.
#
# Everywhere else `rustup target add wasm32-wasip1` and a clang with lld do the same, faster.
#
# rustup's own servers are not among the registries, so the standard library for each target is
# compiled here, from Debian's source package of this very compiler version, and put where rustup
# would have put it: every cargo command then works as usual. The script changes nothing when all
# is there. Build paths are mapped away, so that guests come out the same on every machine.
#
#   guests/setup-toolchain.sh [TARGET...]      default: wasm32-wasip1
#   REBUILD_STD=1                              builds again what is there
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
edition=2 # Counts changes of this script that ask for a new build of the standard library.
suites=(trixie-backports sid)
wasi_libc='0.0~git20260129.ec0effd-3~bpo13+1' # What the compiler's own releases were built with.
targets=("$@")
((${#targets[@]})) || targets=(wasm32-wasip1)

note() { printf 'setup-toolchain: %s\n' "$*" >&2; }
give_up() { note "$*"; exit 1; }

sysroot=$(rustc --print sysroot)
rustlib=$sysroot/lib/rustlib
release=$(rustc -vV | sed -n 's/^release: //p')
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
mark="weir-$edition $commit"

# Whether TARGET has a standard library of rustup's, or one of ours for this compiler.
present() {
  [[ -z ${REBUILD_STD:-} ]] || return 1
  compgen -G "$rustlib/$1/lib/libcore-*.rlib" >/dev/null || return 1
  [[ ! -e $rustlib/$1/.built-here ]] || [[ $(<"$rustlib/$1/.built-here") == "$mark" ]]
}

install_clang() {
  if command -v clang >/dev/null && command -v wasm-ld >/dev/null; then return; fi
  note "installing clang and lld"
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends clang lld >/dev/null
  command -v wasm-ld >/dev/null || ln -s "$(compgen -G '/usr/bin/wasm-ld-*' | tail -n 1)" /usr/local/bin/wasm-ld
}

# An apt of its own in $work/apt, which sees newer suites of the mirror that this machine uses.
open_archive() {
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  [[ -n $mirror ]] || give_up "no Debian mirror among this machine's apt sources"
  mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
  for suite in "${suites[@]}"; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
  done >"$work/apt/sources.list"
  cat >"$work/apt/apt.conf" <<CONF
Dir::State::lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
  APT_CONFIG=$work/apt/apt.conf apt-get -qq update
}

# unpack PACKAGE VERSION-PATTERN...: the first version that fits a pattern, into $work/PACKAGE.
unpack() {
  local package=$1 pattern version
  shift
  for pattern; do
    while read -r version; do
      # shellcheck disable=SC2053 # The right-hand side is a pattern on purpose.
      [[ $version == $pattern ]] || continue
      (cd "$work" && APT_CONFIG=$work/apt/apt.conf apt-get -qq download "$package=$version") || continue
      mkdir -p "$work/$package"
      dpkg-deb -x "$work/$package"_*.deb "$work/$package"
      note "unpacked $package $version"
      return 0
    done < <(APT_CONFIG=$work/apt/apt.conf apt-cache madison "$package" | awk -F ' *[|] *' '{ print $2 }')
  done
  return 1
}

# build_std TARGET...: as the compiler's own release process does, from `library/sysroot`.
build_std() {
  local library=$work/rust-src/usr/src/rustc-$release/library target arguments=()
  rm -rf "$library/vendor"
  for target; do arguments+=(--target "$target"); done
  note "building the standard library $release for $*"
  (
    cd "$library"
    unset CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER
    export RUSTC=$sysroot/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_PROFILE_DIST_DEBUG=0
    export CARGO_PROFILE_DIST_CODEGEN_UNITS=1 CARGO_TARGET_DIR=$work/target
    RUSTFLAGS="-Zforce-unstable-if-unmarked --remap-path-prefix=$library=/rustc/$commit/library"
    # As in the compiler's own releases.
    "$sysroot/bin/cargo" fetch --quiet --locked --manifest-path sysroot/Cargo.toml
    for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
      RUSTFLAGS+=" --remap-path-prefix=$crates=/rust/deps"
    done
    export RUSTFLAGS
    nice "$sysroot/bin/cargo" build --quiet --locked --manifest-path sysroot/Cargo.toml \
      --profile dist --features backtrace "${arguments[@]}" 2>"$work/build.log" ||
      { cat "$work/build.log" >&2; exit 1; }
  )
}

# put TARGET: moves what was built for it to where rustup would have put it.
put() {
  local target=$1 fresh=$rustlib/.$1.new libc=''
  rm -rf "$fresh"
  mkdir -p "$fresh/lib/self-contained"
  cp "$work/target/$target/dist/deps/"*.rlib "$fresh/lib/"
  rm -f "$fresh/lib/"libsysroot-*
  case $target in
    wasm32-wasip1) libc=wasm32-wasi ;;
    wasm32-wasi*) libc=$target ;;
  esac
  if [[ -n $libc ]]; then
    cp "$work/wasi-libc/usr/lib/$libc/"{crt1-command.o,crt1-reactor.o,libc.a} "$fresh/lib/self-contained/"
  fi
  echo "$mark" >"$fresh/.built-here"
  rm -rf "${rustlib:?}/$target"
  mv "$fresh" "$rustlib/$target"
  note "$target: ready"
}

missing=()
for target in "${targets[@]}"; do
  present "$target" || missing+=("$target")
done
install_clang
((${#missing[@]})) || { note "${targets[*]}: already there"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
open_archive
unpack rust-src "$release+*" ||
  give_up "the mirror has no rust-src $release: use 'rustup target add ${missing[*]}', or the prebuilt guests"
unpack wasi-libc "$wasi_libc" '0.0~git202[6-9]*' || give_up "the mirror has no wasi-libc of 2026 or later"
build_std "${missing[@]}"
for target in "${missing[@]}"; do put "$target"; done
