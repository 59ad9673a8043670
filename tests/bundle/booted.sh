#!/bin/bash
# Runs inside a booted Debian (booting.py): installs the bundle in /root, uses the service, and takes it away again.
# Prints `name: value` lines, which booting.py judges.
cd /root || exit
say() { echo "$1: $2" >> /root/told; }
answer() { exec 3<> /dev/tcp/127.0.0.1/3021 && printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3 && cat <&3; }
status() { answer "$1" | sed -n '1s/^[^ ]* \([0-9]*\).*/\1/p'; }
field() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/" stage.json; }

./stage --ca ca.pem --any-id --drip > stage.json &
until [ -s stage.json ]; do sleep 0.1; done
mkdir -p /etc/sluice
install -m 644 ca.pem /etc/sluice/
printf 'PROXY=%s\nCA_FILE=/etc/sluice/ca.pem\n' "$(field proxy)" > /etc/sluice/sluice.env
say expected "$(field "$(field default)")"

bundle/install > installed 2>&1
say install "$?"
for _ in $(seq 100); do
    [ "$(status /ready)" != 200 ] || break
    sleep 0.2
done
say ready "$(status /ready)"
since() { systemctl show --property="$1" --value sluice.service; }
say start "$((($(since ActiveEnterTimestampMonotonic) - $(since ExecMainStartTimestampMonotonic)) / 1000))"
# At its start it has a script run, as confined as those of sites.
say script "$(journalctl --no-pager -u sluice | grep -c 'JavaScript runtime: deno')"
say film "$(answer "/stream?url=$(field page)" | sed '1,/^\r$/d' | sha256sum | cut -d' ' -f1)"
say helper "$(status '/extract?url=https://drip.example.net/slowly')"
say user "$(systemctl show --property=User --value sluice.service)"
say privileges "$(sed -n 's/^CapBnd:\t//p' "/proc/$(systemctl show --property=MainPID --value sluice.service)/status")"
# Of its mode what others may; newer systemds let their user read it by an ACL, which shows as the group's.
say key "$(stat -c %a /run/credentials/sluice.service/encryption_key | tail -c 2)"
say state "$(find /var/lib/private/sluice -name '*key*' | wc -l)"
say exposure "$(systemd-analyze security sluice.service | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')"

# Somebody asks all the while that it restarts.
while [ ! -e stop ]; do
    got=$(status /health)
    echo "${got:-none}"
done > asked 2>&1 &
asking=$!
systemctl restart sluice.service
say restart "$?"
touch stop
wait "$asking"
say asked "$(sort -u asked | tr '\n' ' ')"

# Who stops the socket alone has it back by a restart of the service, and it is systemd's: a client has the service started.
systemctl stop sluice.socket
say closed "$(systemctl is-active sluice.socket sluice.service | tr '\n' ' ')"
systemctl restart sluice.service
say reopened "$? $(systemctl is-active sluice.socket) $(status /health)"
systemctl stop sluice.service
say woken "$(systemctl is-active sluice.socket) $(status /health)"

# A stream of half an hour would be waited for; a second signal breaks it off, and the service stays down.
exec 4<> /dev/tcp/127.0.0.1/3021
printf 'GET /stream?url=https://drip.example.net/slowly HTTP/1.0\r\nHost: localhost\r\n\r\n' >&4
read -r _ code _ <&4
systemctl stop --no-block sluice.socket sluice.service
systemctl kill --kill-whom=main sluice
cat <&4 > /dev/null
systemctl stop sluice.socket sluice.service
say broken "$code $(journalctl --no-pager -u sluice | grep -c 'a second signal') $(systemctl is-active sluice.socket)"

bundle/install > installed.again 2>&1
say again "$?"
# Another version, back to the first, and a setting that is wrong.
other() {
    cp -al bundle "$1"
    rm "$1"/{VERSION,SHA256SUMS}
    echo "$2" > "$1/VERSION"
    (cd "$1" && find . -type f -printf '%P\0' | xargs -0 sha256sum > ../sums && mv ../sums SHA256SUMS)
}
other newer 9.0.0
newer/install > upgraded 2>&1
say upgrade "$? $(readlink /opt/sluice/current) $(systemctl is-active sluice.service)"
/opt/sluice/current/install --rollback > back 2>&1
say rollback "$? $(readlink /opt/sluice/previous) $(systemctl is-active sluice.service)"
echo MAX_WORKERS=none >> /etc/sluice/sluice.env
other newest 10.0.0
newest/install > refused 2>&1
say refused "$? $(grep -c 'journalctl -u sluice' refused) $(readlink /opt/sluice/current)"
say tries "$(journalctl --no-pager -u sluice | grep -c 'MAX_WORKERS (environment)')"
# One client, which has it tried until that is enough.
status /health
until systemctl --quiet is-failed sluice.socket; do sleep 0.1; done
say enough "$(systemctl show --property=Result --value sluice.socket) $(systemctl is-active sluice.service)"
sed -i '$d' /etc/sluice/sluice.env
newer/install > mended 2>&1
say mended "$? $(systemctl is-active sluice.socket sluice.service | tr '\n' ' ')$(status /health)"
say before "$([ "$(readlink /opt/sluice/previous)" = "$(cat bundle/VERSION)" ] && echo started)"

bundle/install --uninstall > removed 2>&1
say uninstall "$?"
say left "$(systemctl list-unit-files --no-legend 'sluice*' | wc -l) $(ls /opt)"
journalctl --no-pager -u sluice > log
systemctl poweroff
