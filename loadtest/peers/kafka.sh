#!/bin/sh
# Runs one node of Apache Kafka for loadtest: kafka.sh fetch | format DIR PORT [OPTION...] | run DIR
#   fetch   copies the jars from Maven Central into cache/kafka, once
#   format  writes DIR/server.properties for 127.0.0.1:PORT and formats DIR/data (the controller listens on PORT + 1);
#           options are those of Kafka's storage tool
#   run     becomes the broker, with a heap of KAFKA_HEAP (1G)
#   consume BOOTSTRAP TOPIC GROUP RECORDS PASSES  reads a topic with the Java consumer (Consume.java)
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
jars=$here/cache/kafka

fetch() {
    [ -e "$jars/.complete" ] && return
    mkdir -p "$jars"
    # Whoever comes while another fetches waits, and finds it done.
    exec 9>"$jars/.lock"
    flock 9
    if [ ! -e "$jars/.complete" ]; then
        mvn --batch-mode --quiet -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars"
        touch "$jars/.complete"
    fi
    exec 9>&-
}

format() {
    mkdir -p "$1"
    cat >"$1/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$(($2 + 1))
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$(($2 + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$2
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$1/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.segment.delete.delay.ms=1000
EOF
    settings=$1/server.properties
    shift 2
    java -Xmx256M -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" kafka.tools.StorageTool \
        format --cluster-id 4L6g3nShT-eMCtK--X86sw --config "$settings" "$@"
}

case ${1:-} in
fetch) fetch ;;
format)
    fetch
    shift
    format "$@"
    ;;
run)
    # The garbage collector and flags of Kafka's own start script.
    exec java -Xmx"${KAFKA_HEAP:-1G}" -Xms"${KAFKA_HEAP:-1G}" -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
        -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" kafka.Kafka "$2/server.properties"
    ;;
consume)
    fetch
    shift
    exec java -Xmx512M -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" "$here/Consume.java" "$@"
    ;;
*)
    sed -n '2,7p' "$0" >&2
    exit 2
    ;;
esac
