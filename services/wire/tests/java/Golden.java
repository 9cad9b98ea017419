// Writes the golden files: what Kafka's own generated classes make of every message and version.
//
// Each line of FOLDER/<api>.txt is: direction, version, what, and then for `schema` the fields of that version, for
// `header` a whole header, else the body of a message in hexadecimal: with all defaults, with every field set, and with
// seeded random values. FOLDER/errors.txt lists every error with its number and whether it is retriable.

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractCollection;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

public class Golden {
    static final List<Integer> KEYS = List.of(
        0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 32, 33, 35, 36, 37, 42, 44, 47, 55,
        57, 60, 61, 68, 69, 74, 75);

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Files.createDirectories(folder);
        for (int number : KEYS) {
            ApiKeys key = ApiKeys.forId(number);
            List<String> lines = new ArrayList<>();
            for (short version = key.messageType.lowestSupportedVersion(); version <= key.latestVersion(false); version++) {
                for (boolean request : new boolean[] {true, false}) {
                    String prefix = (request ? "request " : "response ") + version + " ";
                    Schema[] schemas = request ? key.messageType.requestSchemas() : key.messageType.responseSchemas();
                    lines.add(prefix + "schema " + describe(schemas[version]));
                    lines.add(prefix + "header " + header(key, version, request));
                    for (Filling filling : Filling.values()) {
                        lines.add(prefix + filling + " " + body(key, version, request, filling));
                    }
                }
            }
            Files.write(folder.resolve(key.messageType.name + ".txt"), lines);
        }
        Files.write(folder.resolve("errors.txt"), Arrays.stream(Errors.values())
            .map(e -> e.name() + " " + e.code() + " " + (e.exception() instanceof RetriableException)).sorted().toList());
    }

    enum Filling { defaults, full, random1, random2 }

    static String header(ApiKeys key, short version, boolean request) {
        if (request) {
            RequestHeaderData header = new RequestHeaderData().setRequestApiKey(key.id).setRequestApiVersion(version)
                .setCorrelationId(0x01020304).setClientId(version % 2 == 0 ? "client" : null);
            return hex(header, key.requestHeaderVersion(version));
        }
        return hex(new ResponseHeaderData().setCorrelationId(0x01020304), key.responseHeaderVersion(version));
    }

    static String body(ApiKeys key, short version, boolean request, Filling filling) throws Exception {
        ApiMessage message = request ? key.messageType.newRequest() : key.messageType.newResponse();
        if (filling != Filling.defaults) {
            Schema schema = (request ? key.messageType.requestSchemas() : key.messageType.responseSchemas())[version];
            long seed = key.id * 1000L + version * 10L + filling.ordinal() + (request ? 500_000 : 0);
            new Filler(filling == Filling.full, new Random(seed)).fill(message, schema);
        }
        String written = hex(message, version);
        ApiMessage read = request ? key.messageType.newRequest() : key.messageType.newResponse();
        read.read(new ByteBufferAccessor(ByteBuffer.wrap(HexFormat.of().parseHex(written))), version);
        if (!read.equals(message) || !hex(read, version).equals(written)) {
            throw new IllegalStateException("not what was written: " + key + " " + version + " " + written);
        }
        return written.isEmpty() ? "-" : written;
    }

    static String hex(Message message, short version) {
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /** The fields of one version: name, type, `?` where null is allowed; tagged ones last, with their number in front. */
    static String describe(Schema schema) {
        StringBuilder text = new StringBuilder("{");
        for (BoundField field : schema.fields()) {
            if (!(field.def.type instanceof TaggedFields)) {
                text.append(field.def.name).append(':').append(describe(field.def.type)).append(' ');
            }
        }
        for (Map.Entry<Integer, org.apache.kafka.common.protocol.types.Field> tagged : tagged(schema).entrySet()) {
            text.append(tagged.getKey()).append(tagged.getValue().name).append(':')
                .append(describe(tagged.getValue().type)).append(' ');
        }
        return text.append('}').toString();
    }

    static String describe(Type type) {
        String nullable = type.isNullable() ? "?" : "";
        if (type.isArray()) {
            return "[]" + describe(type.arrayElementType().orElseThrow()) + nullable;
        }
        if (type instanceof Schema schema) {
            return describe(schema) + nullable;
        }
        return type.toString().toLowerCase().replace("compact_", "").replace("nullable_", "") + nullable;
    }

    static Map<Integer, org.apache.kafka.common.protocol.types.Field> tagged(Schema schema) {
        for (BoundField field : schema.fields()) {
            if (field.def.type instanceof TaggedFields section) {
                return new TreeMap<>(section.fields());
            }
        }
        return Map.of();
    }

    /** Sets every field that a schema has: to something, or, unless `full`, sometimes to null, nothing or the default. */
    record Filler(boolean full, Random random) {
        void fill(Object message, Schema schema) throws Exception {
            for (BoundField field : schema.fields()) {
                if (!(field.def.type instanceof TaggedFields)) {
                    set(message, field.def.name, field.def.type);
                }
            }
            for (org.apache.kafka.common.protocol.types.Field field : tagged(schema).values()) {
                if (full || random.nextInt(3) > 0) {
                    set(message, field.name, field.type);
                }
            }
        }

        void set(Object message, String name, Type type) throws Exception {
            String wanted = name.replace("_", "");
            for (Field field : message.getClass().getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers()) && field.getName().equalsIgnoreCase(wanted)) {
                    field.setAccessible(true);
                    field.set(message, value(field, type));
                    return;
                }
            }
            throw new IllegalStateException(message.getClass() + " has no field " + name);
        }

        Object value(Field field, Type type) throws Exception {
            if (type.isNullable() && !full && random.nextInt(4) == 0) {
                return null;
            }
            if (type.isArray()) {
                return elements(field, type.arrayElementType().orElseThrow());
            }
            if (type instanceof Schema schema) {
                return struct(field.getType(), schema);
            }
            return type == Type.UINT16 ? (Object) random.nextInt(1 << 16) : single(field.getType());
        }

        Object struct(Class<?> kind, Schema schema) throws Exception {
            Object struct = kind.getDeclaredConstructor().newInstance();
            fill(struct, schema);
            return struct;
        }

        @SuppressWarnings("unchecked")
        Object elements(Field field, Type type) throws Exception {
            Class<?> kind;
            Collection<Object> elements;
            if (field.getType() == List.class) {
                kind = (Class<?>) ((ParameterizedType) field.getGenericType()).getActualTypeArguments()[0];
                elements = new ArrayList<>();
            } else {
                ParameterizedType parent = (ParameterizedType) field.getType().getGenericSuperclass();
                kind = (Class<?>) parent.getActualTypeArguments()[0];
                elements = (AbstractCollection<Object>) field.getType().getDeclaredConstructor().newInstance();
            }
            int count = full ? 2 : random.nextInt(3);
            for (int i = 0; i < count; i++) {
                elements.add(type instanceof Schema schema ? struct(kind, schema) : single(kind));
            }
            return elements;
        }

        Object single(Class<?> kind) {
            if (kind == boolean.class || kind == Boolean.class) {
                return random.nextBoolean();
            } else if (kind == byte.class || kind == Byte.class) {
                return (byte) random.nextInt();
            } else if (kind == short.class || kind == Short.class) {
                return (short) random.nextInt();
            } else if (kind == int.class || kind == Integer.class) {
                return random.nextInt();
            } else if (kind == long.class || kind == Long.class) {
                return random.nextLong();
            } else if (kind == Uuid.class) {
                return new Uuid(random.nextLong(), random.nextLong());
            } else if (kind == String.class) {
                return text();
            } else if (kind == byte[].class) {
                return bytes();
            } else if (kind == ByteBuffer.class) {
                return ByteBuffer.wrap(bytes());
            }
            return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes()));
        }

        String text() {
            String[] parts = {"a", "Z", "7", ".", "é", "水", "🦀"};
            StringBuilder text = new StringBuilder(full ? "s" : "");
            int length = random.nextInt(20) == 0 ? 128 : random.nextInt(8);
            for (int i = 0; i < length; i++) {
                text.append(parts[random.nextInt(parts.length)]);
            }
            return text.toString();
        }

        byte[] bytes() {
            byte[] bytes = new byte[(full ? 1 : 0) + random.nextInt(16)];
            random.nextBytes(bytes);
            return bytes;
        }
    }
}
