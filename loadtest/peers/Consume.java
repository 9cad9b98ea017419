// Consume BOOTSTRAP TOPIC GROUP RECORDS PASSES: reads a topic as the only member of a group, each time of another one.
// Prints a line for each pass: records after the first poll that brought any, and nanoseconds since that poll.

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public final class Consume {
    public static void main(String[] arguments) {
        long wanted = Long.parseLong(arguments[3]);
        int passes = Integer.parseInt(arguments[4]);
        for (int pass = 0; pass < passes; pass++) {
            Map<String, Object> settings = Map.of(
                    "bootstrap.servers", arguments[0],
                    "group.id", arguments[2] + "-" + pass,
                    "group.protocol", "consumer",
                    "auto.offset.reset", "earliest");
            try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer.subscribe(List.of(arguments[1]));
                int first = 0;
                while (first == 0) {
                    first = consumer.poll(Duration.ofSeconds(1)).count();
                }
                long start = System.nanoTime();
                long count = 0;
                while (first + count < wanted) {
                    for (var record : consumer.poll(Duration.ofSeconds(1))) {
                        count += record.value() == null ? 0 : 1;
                    }
                }
                System.out.println(count + " " + (System.nanoTime() - start));
            }
        }
    }
}
