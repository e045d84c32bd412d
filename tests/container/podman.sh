# podman.sh PLACE COMMAND...: runs COMMAND as an operator who is not root, on a host of their own.
# Needs root, and namespaces for mounts and the network that are not the machine's. In PLACE, which the
# operator owns, is their home, with images and containers; /etc has them in it for as long as this lasts.
set -eu
place=$1
shift
mount --make-rprivate /
# crun refuses a machine with some cgroups of version 1 and some of 2. Ours has none.
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t tmpfs tmpfs /sys/fs/cgroup
ip link set lo up

mkdir -p "$place/etc" "$place/run"
for file in passwd group subuid subgid hosts; do
    [ -e "/etc/$file" ] || touch "/etc/$file"
    cp "/etc/$file" "$place/etc/$file"
done
echo "operator:x:6000:6000::$place/home:/bin/sh" >>"$place/etc/passwd"
echo "operator:x:6000:" >>"$place/etc/group"
echo "operator:200000:65536" | tee "$place/etc/subuid" >"$place/etc/subgid"
echo "127.0.0.1 xmpp1.example.com" >>"$place/etc/hosts"
for file in passwd group subuid subgid hosts; do
    mount --bind "$place/etc/$file" "/etc/$file"
done
cat >"$place/etc/containers.conf" <<END
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:4096", "nproc=1000:1000"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
END
printf '[storage]\ndriver = "overlay"\n' >"$place/etc/storage.conf"
chown 6000:6000 "$place/run"
exec "$@"
