// Writes the golden files: what Kafka's own generated classes make of the records of __consumer_offsets, and of what
// classic consumers say to each other.
//
// Each line of the first FILE is: name, version of the value, key and value in hexadecimal; of the second: version,
// subscription and assignment.

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ConsumerProtocolAssignment;
import org.apache.kafka.common.message.ConsumerProtocolSubscription;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.coordinator.group.generated.*;

public class Golden {
    static final List<String> LINES = new ArrayList<>();
    static final Uuid FIRST = new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L);
    static final Uuid SECOND = new Uuid(0x1112131415161718L, 0x191a1b1c1d1e1f20L);

    static String hex(ByteBuffer bytes) {
        return HexFormat.of().formatHex(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.limit());
    }

    static void line(String name, int type, ApiMessage key, int version, ApiMessage value) {
        ByteBuffer fields = MessageUtil.toByteBufferAccessor(key, (short) 0).buffer();
        LINES.add(name + " " + version + " " + String.format("%04x", type) + hex(fields) + " "
            + hex(MessageUtil.toVersionPrefixedByteBuffer((short) version, value)));
    }

    static OffsetCommitKey offsetKey() {
        return new OffsetCommitKey().setGroup("group").setTopic("orders").setPartition(7);
    }

    static void offsets() {
        for (int version = 0; version <= 4; version++) {
            OffsetCommitValue value = new OffsetCommitValue().setOffset(1234567890123L).setMetadata("größe")
                .setCommitTimestamp(1700000000000L).setLeaderEpoch(5);
            if (version == 1) value.setExpireTimestamp(1700000009999L);
            if (version == 4) value.setTopicId(FIRST);
            line("offset", 1, offsetKey(), version, value);
        }
        line("offset-bare", 1, offsetKey(), 4, new OffsetCommitValue().setOffset(0).setMetadata("").setCommitTimestamp(1));
    }

    static void classic() {
        GroupMetadataKey key = new GroupMetadataKey().setGroup("group");
        for (int version = 0; version <= 4; version++) {
            var one = new GroupMetadataValue.MemberMetadata().setMemberId("m-1").setGroupInstanceId(version >= 3 ? "i-1" : null)
                .setClientId("client").setClientHost("/127.0.0.1").setRebalanceTimeout(60000).setSessionTimeout(45000)
                .setSubscription(new byte[] {1, 2, 3}).setAssignment(new byte[] {4, 5});
            var two = new GroupMetadataValue.MemberMetadata().setMemberId("m-2")
                .setClientId("").setClientHost("h").setRebalanceTimeout(1).setSessionTimeout(2)
                .setSubscription(new byte[0]).setAssignment(new byte[0]);
            line("classic", 2, key, version, new GroupMetadataValue().setProtocolType("consumer").setGeneration(9)
                .setProtocol("range").setLeader("m-1").setCurrentStateTimestamp(1700000000000L).setMembers(List.of(one, two)));
            line("classic-empty", 2, key, version, new GroupMetadataValue().setProtocolType("").setGeneration(10)
                .setProtocol(null).setLeader(null).setCurrentStateTimestamp(1700000000001L).setMembers(List.of()));
        }
    }

    static void consumer() {
        line("consumer", 3, new ConsumerGroupMetadataKey().setGroupId("group"), 0,
            new ConsumerGroupMetadataValue().setEpoch(11).setMetadataHash(-3));
        line("consumer-bare", 3, new ConsumerGroupMetadataKey().setGroupId("group"), 0,
            new ConsumerGroupMetadataValue().setEpoch(1));
        var memberKey = new ConsumerGroupMemberMetadataKey().setGroupId("group").setMemberId("m-1");
        line("member", 5, memberKey, 0, new ConsumerGroupMemberMetadataValue().setInstanceId("i-1").setRackId("r-1")
            .setClientId("client").setClientHost("/127.0.0.1").setSubscribedTopicNames(List.of("a", "b"))
            .setSubscribedTopicRegex("a.*").setRebalanceTimeoutMs(60000).setServerAssignor("uniform"));
        line("member-classic", 5, memberKey, 0, new ConsumerGroupMemberMetadataValue().setInstanceId(null).setRackId(null)
            .setClientId("client").setClientHost("/127.0.0.1").setSubscribedTopicNames(List.of())
            .setSubscribedTopicRegex(null).setRebalanceTimeoutMs(60000).setServerAssignor(null)
            .setClassicMemberMetadata(new ConsumerGroupMemberMetadataValue.ClassicMemberMetadata().setSessionTimeoutMs(45000)
                .setSupportedProtocols(List.of(new ConsumerGroupMemberMetadataValue.ClassicProtocol().setName("range")
                    .setMetadata(new byte[] {1, 2})))));
        line("target", 6, new ConsumerGroupTargetAssignmentMetadataKey().setGroupId("group"), 0,
            new ConsumerGroupTargetAssignmentMetadataValue().setAssignmentEpoch(12).setAssignmentTimestamp(1700000000000L));
        line("target-bare", 6, new ConsumerGroupTargetAssignmentMetadataKey().setGroupId("group"), 0,
            new ConsumerGroupTargetAssignmentMetadataValue().setAssignmentEpoch(12));
        line("target-member", 7, new ConsumerGroupTargetAssignmentMemberKey().setGroupId("group").setMemberId("m-1"), 0,
            new ConsumerGroupTargetAssignmentMemberValue().setTopicPartitions(List.of(
                new ConsumerGroupTargetAssignmentMemberValue.TopicPartition().setTopicId(FIRST).setPartitions(List.of(0, 2)),
                new ConsumerGroupTargetAssignmentMemberValue.TopicPartition().setTopicId(SECOND).setPartitions(List.of(1)))));
        for (int state = 0; state <= 2; state++) {
            line("current-" + state, 8, new ConsumerGroupCurrentMemberAssignmentKey().setGroupId("group").setMemberId("m-1"), 0,
                new ConsumerGroupCurrentMemberAssignmentValue().setMemberEpoch(12).setPreviousMemberEpoch(11).setState((byte) state)
                    .setAssignedPartitions(List.of(new ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions()
                        .setTopicId(FIRST).setPartitions(List.of(0, 2)).setAssignmentEpochs(List.of(10, 12))))
                    .setPartitionsPendingRevocation(List.of(new ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions()
                        .setTopicId(SECOND).setPartitions(List.of(1)).setAssignmentEpochs(List.of(9)))));
        }
        line("current-without-epochs", 8, new ConsumerGroupCurrentMemberAssignmentKey().setGroupId("group").setMemberId("m-1"), 0,
            new ConsumerGroupCurrentMemberAssignmentValue().setMemberEpoch(12).setPreviousMemberEpoch(11).setState((byte) 0)
                .setAssignedPartitions(List.of(new ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions()
                    .setTopicId(FIRST).setPartitions(List.of(0, 2)))));
        line("pattern", 16, new ConsumerGroupRegularExpressionKey().setGroupId("group").setRegularExpression("a.*"), 0,
            new ConsumerGroupRegularExpressionValue().setTopics(List.of("a", "ab")).setVersion(77).setTimestamp(1700000000000L));
    }

    static final List<String> EMBEDDED = new ArrayList<>();

    static void embedded() {
        for (int version = 0; version <= 3; version++) {
            var subscription = new ConsumerProtocolSubscription().setTopics(List.of("t", "u"));
            subscription.setUserData(version == 2 ? ByteBuffer.wrap(new byte[] {1, 2}) : null);
            if (version >= 1) subscription.ownedPartitions().add(
                new ConsumerProtocolSubscription.TopicPartition().setTopic("t").setPartitions(List.of(0, 2)));
            if (version >= 2) subscription.setGenerationId(5);
            if (version >= 3) subscription.setRackId("rack-b");
            var assignment = new ConsumerProtocolAssignment().setUserData(null);
            assignment.assignedPartitions().add(
                new ConsumerProtocolAssignment.TopicPartition().setTopic("t").setPartitions(List.of(0, 2)));
            EMBEDDED.add(version + " " + hex(MessageUtil.toVersionPrefixedByteBuffer((short) version, subscription)) + " "
                + hex(MessageUtil.toVersionPrefixedByteBuffer((short) version, assignment)));
        }
    }

    public static void main(String[] arguments) throws Exception {
        offsets();
        classic();
        consumer();
        embedded();
        Files.write(Path.of(arguments[0]), LINES);
        Files.write(Path.of(arguments[1]), EMBEDDED);
    }
}
