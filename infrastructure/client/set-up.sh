#!/bin/bash
# Sets up the client machine from the software beside it, at every start; by hand: sudo /usr/local/bin/pinterest-set-up
set -euo pipefail
umask 022

software=/opt/pinterest/software
set -a
source /etc/pinterest/environment
set +a
export AWS_DEFAULT_REGION="$AWS_REGION"

say() { echo "set-up: $*"; }

say "software as it was put into the bucket"
cd "$software"
sha256sum --quiet --check SHA256SUMS

say "Java, Python"
dnf install --assumeyes --quiet java-17-amazon-corretto-headless python3.11 python3.11-pip openssl

say "Kafka's tools, the REST proxy, signing in with IAM"
unpack() { # an archive, a folder
    rm -rf "$2"
    mkdir -p "$2"
    tar --extract --gzip --file "$1" --directory "$2" --strip-components 1
}
unpack kafka_2.13-3.9.*.tgz /opt/kafka
unpack confluent-community-*.tar.gz /opt/confluent
install -m 644 aws-msk-iam-auth-*-all.jar /opt/kafka/libs/aws-msk-iam-auth.jar

say "settings"
install -m 644 client.properties kafka-rest.properties /etc/pinterest/
id kafka-rest >/dev/null 2>&1 || useradd --system --no-create-home --shell /sbin/nologin kafka-rest

# The proxy's certificate, signed by an authority of its own that signs nothing else: its key is gone afterwards.
good() { # it is there, good for another month, and has the right name
    openssl x509 -in "$1" -noout -checkend 2592000 >/dev/null 2>&1 &&
        openssl x509 -in "$1" -noout -text | grep -qF "DNS:$PROXY_HOST"
}
if ! good /etc/pinterest/rest-proxy.crt; then
    say "certificate for $PROXY_HOST"
    work="$(mktemp -d)"
    trap 'rm -rf "$work"' EXIT
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=client machine of $PINTEREST_USER_ID" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj "/CN=rest-proxy" -keyout "$work/proxy.key" -out "$work/proxy.csr" 2>/dev/null
    printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$PROXY_HOST" >"$work/names"
    openssl x509 -req -in "$work/proxy.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial -days 3650 \
        -extfile "$work/names" -out "$work/proxy.crt" 2>/dev/null
    (
        umask 077
        printf 'password=%s\n' "$(openssl rand -hex 24)" >/etc/pinterest/rest-proxy.password
        sed 's/^password=//' /etc/pinterest/rest-proxy.password >"$work/password"
        openssl pkcs12 -export -in "$work/proxy.crt" -inkey "$work/proxy.key" -certfile "$work/ca.crt" \
            -passout "file:$work/password" -out /etc/pinterest/rest-proxy.p12
    )
    chown kafka-rest /etc/pinterest/rest-proxy.p12 /etc/pinterest/rest-proxy.password
    install -m 644 "$work/proxy.crt" /etc/pinterest/rest-proxy.crt
fi

say "topics"
topic() {
    /opt/kafka/bin/kafka-topics.sh --bootstrap-server "$(sed -n 's/^bootstrap.servers=//p' /etc/pinterest/client.properties)" \
        --command-config /etc/pinterest/client.properties \
        --create --if-not-exists --topic "$1" --partitions "$2" --replication-factor 3
}
for kind in pin geo user; do
    topic "$PINTEREST_USER_ID.$kind" 3
done
topic "dead-$PINTEREST_USER_ID" 1

say "the REST proxy as a service"
install -m 644 kafka-rest.service /etc/systemd/system/kafka-rest.service
systemctl daemon-reload
systemctl enable --quiet kafka-rest
systemctl restart kafka-rest

say "the emulation"
curl --fail --silent --show-error --max-time 60 --output /etc/pinterest/rds.pem \
    https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
rm -rf /opt/pinterest/app
mkdir -p /opt/pinterest/app /var/lib/pinterest
python3.11 -m zipfile -e emulation.zip /opt/pinterest/app
[ -x /opt/pinterest/venv/bin/python ] || python3.11 -m venv /opt/pinterest/venv
/opt/pinterest/venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r client.txt -r seed.txt
install -m 755 watch-topic emulate /usr/local/bin/
chmod 1777 /var/lib/pinterest

for _ in $(seq 60); do
    if curl --silent --output /dev/null --insecure --max-time 2 https://127.0.0.1:8082/; then
        say "done"
        exit 0
    fi
    sleep 2
done
say "the REST proxy must answer within two minutes, and did not: journalctl -u kafka-rest" >&2
exit 1
