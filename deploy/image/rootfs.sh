#!/bin/sh
# Make the root file system of the image: Python and the libraries that it and our packages load,
# taken apart from Debian's own packages, with each package's entry kept where scanners look for
# it (/var/lib/dpkg/status.d, as distroless images do). No shell, no apt, no setuid file.
#
#     sh deploy/image/rootfs.sh /rootfs      in the build stage of deploy/Containerfile
set -eu
root=$1
mkdir -p "$root/var/lib/dpkg/status.d" "$root/etc" "$root/tmp" /build/packages

# Without those that Python needs only to be worked on, and without what dpkg itself needs.
packages="base-files ca-certificates libc6 libgcc-s1 libstdc++6 libpython3.11-minimal
  libpython3.11-stdlib python3.11-minimal python3.11 python3-minimal libbz2-1.0 libcrypt1 libdb5.3
  libexpat1 libffi8 liblzma5 libssl3 libsqlite3-0 libuuid1 media-types netbase tzdata zlib1g"
cd /build/packages
# shellcheck disable=SC2086 (a list of words)
apt-get download -q $packages
for file in *.deb; do
  dpkg-deb -x "$file" "$root"
  dpkg-deb -f "$file" > "$root/var/lib/dpkg/status.d/${file%%_*}"
done

# What those packages' scripts would do when they are installed.
mkdir -p "$root/etc/ssl/certs"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
ln -sf python3.11 "$root/usr/bin/python3"

cp -a /opt "$root/"
rm -rf "$root/opt/activity-center/bin/"pip* "$root/opt/activity-center/lib/python3.11/site-packages/"pip* \
  "$root/opt/activity-center/lib/python3.11/site-packages/"setuptools* \
  "$root/opt/activity-center/lib/python3.11/site-packages/"pkg_resources* \
  "$root/opt/activity-center/lib/python3.11/site-packages/"*distutils*
# Bytecode is made here: where it runs nobody may write it. Hashes, since times differ by build.
python3 -m compileall -q --invalidation-mode unchecked-hash -s "$root" \
  -x '(test|tests|lib2to3)/' "$root/opt/activity-center/lib" "$root/usr/lib/python3.11"

cat > "$root/etc/passwd" <<END
root:x:0:0:root:/root:/sbin/nologin
activity-center:x:10001:10001:Activity Center:/var/lib/activity-center:/sbin/nologin
END
cat > "$root/etc/group" <<END
root:x:0:
activity-center:x:10001:
END
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
mkdir -p "$root/etc/activity-center" "$root/var/lib/activity-center" "$root/usr/share/activity-center"
chown 10001:10001 "$root/var/lib/activity-center"
chmod 1777 "$root/tmp"

rm -rf "$root/usr/share/doc-base" "$root/usr/share/man" "$root/usr/share/lintian" \
  "$root/usr/share/bug" "$root/usr/share/apport" "$root/usr/lib/python3.11/test"
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root" -xdev ! -type l -perm /6000 -exec chmod a-s {} +
find "$root" -xdev -type d -perm -0002 ! -path "$root/tmp" -exec chmod o-w {} +
