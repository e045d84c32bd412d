#!/bin/sh
# environment.sh WORK PLACE: makes, in the directory WORK/environment, the Python environment that
# the Debian packages install as PLACE, and lists in WORK/callbridged-only what is there for
# callbridged alone. WORK/tools is left for what else is to be done at build time.
#
# Everything comes from PyPI by version and hash (lock.sh), and is compiled or unpacked here.
set -eu
cd "$(dirname "$0")"
work=$1 place=$2
wheels=$work/wheels environment=$work/environment tools=$work/tools
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
unset PIP_CONSTRAINT PIP_REQUIREMENT
mkdir -p "$work"

python3=/usr/bin/python3
$python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --require-hashes --no-deps --only-binary :all: -r build.txt
# Without build isolation, which would bring what is not pinned.
"$tools/bin/pip" install --quiet --require-hashes --no-deps --no-build-isolation -r manual.txt

for list in common callbridged; do
    "$tools/bin/pip" wheel --quiet --require-hashes --no-deps --no-build-isolation \
        -r $list.txt --wheel-dir "$wheels/$list"
done
"$tools/bin/pip" wheel --quiet --no-deps --no-build-isolation \
    ../.. --wheel-dir "$wheels/common"

$python3 -m venv --without-pip "$environment"
install_wheels() {
    "$tools/bin/pip" --python "$environment/bin/python3" install --quiet \
        --no-index --no-deps --no-compile "$@"
}
files() {
    (cd "$environment" && find . ! -type d | sort)
}
install_wheels "$wheels"/common/*.whl
files >"$work/before"
install_wheels "$wheels"/callbridged/*.whl
files | comm -13 "$work/before" - >"$work/callbridged-only"
"$tools/bin/pip" --python "$environment/bin/python3" check

# Relocate: the interpreter is Debian's, by its full name; nothing knows the place of the build.
cd "$environment"
version=$($python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
site=lib/python$version/site-packages
printf '%s\n' "home = /usr/bin" "include-system-site-packages = false" "version = $version" >pyvenv.cfg
ln -sf "/usr/bin/python$version" bin/python3
for script in bin/*; do
    case ${script#bin/} in
        python3) ;;
        twistd | xmppctl | callbridgectl) sed -i "1s|.*|#!$place/bin/python3|" "$script" ;;
        *) rm "$script" ;;
    esac
done
rm -rf lib64 include share

# What nobody needs at run time, or what names the place of the build.
find $site -depth -type d \
    \( -name test -o -name tests -o -name slapdtest -o -name newsfragments -o -name __pycache__ \) -exec rm -r {} +
find $site \( -name '*.pyi' -o -name '*.c' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' \) -delete
# Modules are no programs.
find $site -name "*.py" -exec sed -i "1s/^#!.*//" {} +
rm -f $site/*.dist-info/RECORD $site/*.dist-info/direct_url.json $site/*.dist-info/INSTALLER \
    $site/*.dist-info/REQUESTED

# Where a site's own user backends and their plugins are found, if there are any.
echo "/usr/local/lib/callbridge-xmpp" >$site/local.pth
if grep -rIl --exclude-dir=vendor "$work" .; then
    echo "environment.sh: these files name $work, where the packages were built" >&2
    exit 1
fi
