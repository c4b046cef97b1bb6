#!/usr/bin/env bash
# Makes .venv ready: a virtual environment with pinned packages, and a Vulkan device that SAPIEN can render with.
#
#   tools/setup.sh          the simulator, with a scripted policy
#   tools/setup.sh test     and what the tests need
#   tools/setup.sh vla      and torch and transformers, for policies that are neural networks
#   tools/setup.sh demo     the first, and the third if there is room and network for it
#   tools/setup.sh all      the second, and the third if there is room and network for it
#
# Presupposes bash and python3. Does nothing, at once, when nothing has changed since the last time. PYTHON=python3.12
# chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "set-up: $*"; }
fail() { echo "set-up: $*" >&2; exit 1; }

extra=${1:-core}
case $extra in
    core) requirement=. ;;
    test | vla) requirement=".[$extra]" ;;
    demo | all)
        if [ "$extra" = all ]; then "$0" test; else "$0" core; fi
        "$0" vla || say "going on without the neural policies; \`make vla\` tries again"
        exit 0
        ;;
    *) echo "set-up: unknown part \"$extra\" (core, test, vla, demo or all)" >&2; exit 2 ;;
esac

# Two set-ups at once would spoil each other; the second waits.
exec 9<"$0"
flock 9

# ---- nothing to do? --------------------------------------------------------------------------------------------------
# What the result depends on: the lists of packages, this script, the place of the checkout, the Vulkan drivers.
fingerprint() {
    { cat pyproject.toml constraints.txt "$0"; pwd; ls /etc/vulkan/icd.d /usr/share/vulkan/icd.d 2>/dev/null || true; } \
        | sha256sum | cut -d ' ' -f 1
}
done_before() { [ "$(cat ".venv/.setup-$1" 2>/dev/null)" = "$(fingerprint)" ]; }
if [ -x .venv/bin/python ]; then
    if done_before "$extra"; then exit 0; fi
    # The parts for tests and models include what the demo needs.
    if [ "$extra" = core ] && { done_before test || done_before vla; }; then exit 0; fi
fi

# ---- system packages -------------------------------------------------------------------------------------------------
may_install() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# run_quietly COMMAND...: shows the end of what the command said only if it failed.
run_quietly() { "$@" >"$log" 2>&1 || { tail -n 15 "$log" >&2; return 1; }; }

apt_install() {
    say "installing system packages: ${*}"
    run_quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" \
        || fail "apt-get could not install ${*}; fix what it says above and run this again"
}

apt_update() {
    say "reading the system's package lists"
    run_quietly as_root apt-get update -q || fail "apt-get update failed; fix what it says above and run this again"
}

# ---- the interpreter and the virtual environment ---------------------------------------------------------------------
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if new_enough "$candidate"; then echo "$candidate"; return; fi
    done
    fail "needs Python 3.11 or newer, but ${PYTHON:-python3} is" \
        "$("${PYTHON:-python3}" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo absent)." \
        "Install one (Ubuntu 22.04: apt-get install python3.11 python3.11-venv), or name it: make PYTHON=/path/to/python3"
}

make_venv() {
    if .venv/bin/python -m pip --version >/dev/null 2>&1 && new_enough .venv/bin/python; then return; fi
    local python package
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        may_install || fail "$python cannot make virtual environments; ask the administrator for: apt-get install $package"
        apt_update
        apt_install "$package"
    fi
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
}

# PyTorch's own index has a build without NVIDIA's libraries, a tenth of the size; PyPI has only the large one.
TORCH_CPU=https://download.pytorch.org/whl/cpu

# Where torch comes from, and whether there is room for it. Its price is said before it is paid.
torch_source() {
    source=()
    if .venv/bin/python -c 'import torch' 2>/dev/null; then return; fi
    local gigabytes=9 free
    if ! command -v nvidia-smi >/dev/null && .venv/bin/python - "$TORCH_CPU" 2>/dev/null <<'END'
import sys, urllib.request
urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=5)
END
    then
        source=(--extra-index-url "$TORCH_CPU")
        gigabytes=2
        say "adding torch and transformers: about 0.4 GB to download, 2 GB of disk"
    else
        say "adding torch and transformers: up to 3 GB to download and 9 GB of disk (less if pip finds a build for the CPU)"
    fi
    free=$(($(df --output=avail -k . | tail -n 1) / 1024 / 1024))
    [ "$free" -ge "$gigabytes" ] || fail "torch needs $gigabytes GB of disk and only $free GB are free here"
}

install_packages() {
    source=()
    if [ "$extra" = vla ]; then torch_source; fi
    say "installing the pinned packages into .venv (the first time downloads some hundred megabytes)"
    .venv/bin/python -m pip install --no-input --disable-pip-version-check "${source[@]}" -c constraints.txt -e "$requirement" \
        | sed -u -n -E 's/^ *(Downloading|Using cached) ([^ ]+) \((.*[MG]B)\).*/set-up:   \2 (\3)/p; /^(Installing|Successfully)/p' \
        | cut -c 1-120 \
        || fail "pip could not install the packages; fix what it says above and run this again"
    # SAPIEN requires opencv-python and this project for its build without a window system. Both fill the folder cv2, and
    # the first one needs X libraries that a server has not.
    if ! .venv/bin/python -c 'import cv2' 2>/dev/null; then
        say "putting back OpenCV's build without a window system"
        .venv/bin/python -m pip install -q --no-input --disable-pip-version-check -c constraints.txt \
            --force-reinstall --no-deps opencv-python-headless
    fi
}

# ---- the Vulkan device -----------------------------------------------------------------------------------------------
# The log then ends with the device, or with what is missing.
can_render() { timeout -k 5 300 .venv/bin/python -m eval.diagnostics.vulkan >"$log" 2>&1; }

# Debian 12's own Mesa is older than what this project is tested with; its backports have the right one.
suite_of_mesa() {
    # shellcheck source=/dev/null
    (. /etc/os-release && if [ "${ID:-}-${VERSION_ID:-}" = debian-12 ]; then echo bookworm-backports; fi)
}

# add_source SUITE: beside the release, from the server that this machine takes the release from.
add_source() {
    local known uri
    known=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)')
    if grep -q "^$1 " <<<"$known"; then return; fi
    uri=$(sed -n 's/^bookworm main //p' <<<"$known" | head -n 1)
    [ -n "$uri" ] || fail "apt has no source of Debian 12 to add $1 beside; add $1 and run this again"
    say "adding the package source $1"
    echo "deb $uri $1 main" | as_root tee "/etc/apt/sources.list.d/$1.list" >/dev/null
    apt_update
}

# SAPIEN itself needs the X client library even where there is no screen; Mesa renders on the CPU.
ensure_vulkan() {
    local suite packages="mesa-vulkan-drivers libvulkan1 libx11-6"
    say "looking for a Vulkan device that SAPIEN can render with"
    if ! can_render; then
        suite=$(suite_of_mesa)
        may_install || fail "SAPIEN has no Vulkan device to render with; ask the administrator for:" \
            "apt-get install ${suite:+-t $suite }$packages"
        say "none found: Mesa's software renderer will do"
        apt_update
        if [ -n "$suite" ]; then add_source "$suite"; fi
        # shellcheck disable=SC2086
        apt_install ${suite:+-t "$suite"} $packages
        can_render || fail "Mesa is installed, but SAPIEN still cannot render: $(tail -n 1 "$log")"
    fi
    say "$(tail -n 1 "$log")"
}

# ---- the browser that the tests look at pages with ---------------------------------------------------------------------
# Without one their tests are skipped, so nothing here fails. Ubuntu's package of this name is a snap, which sees no files in /tmp.
ensure_browser() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" >/dev/null; then return; fi
    done
    if ! may_install || ! (. /etc/os-release && [ "${ID:-}" = debian ]); then
        say "no Chromium or Chrome here: the tests that look at pages in a browser will be skipped"
        return
    fi
    say "installing Chromium, for the tests that look at pages: about 90 MB to download, 300 MB of disk"
    run_quietly as_root apt-get update -q \
        && run_quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium \
        || say "apt-get could not install it: the tests that look at pages in a browser will be skipped"
}

make_venv
install_packages
ensure_vulkan
if [ "$extra" = test ]; then ensure_browser; fi
fingerprint >".venv/.setup-$extra"
say "done"
