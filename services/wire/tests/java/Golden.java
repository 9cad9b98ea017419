// Writes the golden files: what Kafka's own generated classes make of every message and version.
//
// Each line of FOLDER/<api>.txt is: direction, version, what, and then for `schema` the fields of that version, for
// `header` a whole header, else the body of a message in hexadecimal: with all defaults, with one element of defaults
// in every array, with every field set, and with seeded random values. FOLDER/errors.txt lists every error with its
// number and whether it is retriable.

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
import org.apache.kafka.common.errors.UnsupportedVersionException;
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
        0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 29, 30, 31, 32, 33, 35, 36, 37, 42, 44, 47, 48,
        49, 50, 51, 55, 57, 60, 61, 68, 69, 74, 75);

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Files.createDirectories(folder);
        for (int number : KEYS) {
            ApiKeys key = ApiKeys.forId(number);
            List<String> lines = new ArrayList<>();
            short latest = key.latestVersion(false);
            for (short version = key.messageType.lowestSupportedVersion(); version <= latest; version++) {
                for (boolean request : new boolean[] {true, false}) {
                    String prefix = (request ? "request " : "response ") + version + " ";
                    Schema[] schemas = request ? key.messageType.requestSchemas() : key.messageType.responseSchemas();
                    ApiMessage message = request ? key.messageType.newRequest() : key.messageType.newResponse();
                    lines.add(prefix + "schema " + describe(schemas[version], message.getClass(), version));
                    lines.add(prefix + "header " + header(key, version, request));
                    for (Filling filling : Filling.values()) {
                        lines.add(prefix + filling + " " + body(key, version, request, filling));
                    }
                }
            }
            Files.write(folder.resolve(key.messageType.name + ".txt"), lines);
        }
        Files.write(folder.resolve("errors.txt"), Arrays.stream(Errors.values())
            .map(e -> e.name() + " " + e.code() + " " + (e.exception() instanceof RetriableException))
            .sorted().toList());
    }

    enum Filling { defaults, sparse, full, random1, random2 }

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
        Schema schema = (request ? key.messageType.requestSchemas() : key.messageType.responseSchemas())[version];
        if (filling == Filling.sparse) {
            fillSparsely(message, schema);
        } else if (filling != Filling.defaults) {
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

    /** Fields of versions that Kafka 4.3 itself calls unstable. */
    static final List<String> UNSTABLE =
        List.of("enable2Pc", "keepPreparedTxn", "ongoingTxnProducerId", "ongoingTxnProducerEpoch");

    /**
     * The fields of one version: name, type, `?` where null is allowed; then tagged ones with their number in front;
     * then those the version lacks, with `~` where they are dropped and `!` where they are refused.
     */
    static String describe(Schema schema, Class<?> kind, short version) throws Exception {
        StringBuilder text = new StringBuilder("{");
        List<String> present = new ArrayList<>();
        for (BoundField field : schema.fields()) {
            if (!(field.def.type instanceof TaggedFields)) {
                present.add(field.def.name);
                text.append(describe(field.def, kind, version));
            }
        }
        for (Map.Entry<Integer, org.apache.kafka.common.protocol.types.Field> tagged : tagged(schema).entrySet()) {
            present.add(tagged.getValue().name);
            text.append(tagged.getKey()).append(describe(tagged.getValue(), kind, version));
        }
        List<String> presentNames = present.stream().map(name -> name.replace("_", "").toLowerCase()).toList();
        for (Field field : kind.getDeclaredFields()) {
            boolean plain = !Modifier.isStatic(field.getModifiers()) && !field.getName().startsWith("_")
                && !UNSTABLE.contains(field.getName()) && !List.of("next", "prev").contains(field.getName());
            if (plain && !presentNames.contains(field.getName().toLowerCase())) {
                String snake = field.getName().replaceAll("([a-z0-9])([A-Z])", "$1_$2").toLowerCase();
                text.append(isRefused(field, kind, version) ? '!' : '~').append(snake).append(' ');
            }
        }
        return text.append('}').toString();
    }

    static String describe(org.apache.kafka.common.protocol.types.Field field, Class<?> kind, short version)
            throws Exception {
        Type type = field.type;
        String brackets = type.isArray() ? "[]" : "";
        Type inner = type.isArray() ? type.arrayElementType().orElseThrow() : type;
        String name = inner instanceof Schema schema
            ? describe(schema, structOf(field(kind, field.name)), version)
            : inner.toString().toLowerCase().replace("compact_", "").replace("nullable_", "");
        return field.name + ":" + brackets + name + (type.isNullable() ? "?" : "") + " ";
    }

    /** Whether a message that holds something in a field which the version lacks cannot be written. */
    static boolean isRefused(Field field, Class<?> kind, short version) throws Exception {
        Message message = (Message) kind.getDeclaredConstructor().newInstance();
        field.setAccessible(true);
        field.set(message, anything(field));
        try {
            hex(message, version);
            return false;
        } catch (UnsupportedVersionException refusal) {
            return true;
        }
    }

    static Object anything(Field field) throws Exception {
        if (Collection.class.isAssignableFrom(field.getType())) {
            Collection<Object> elements = collection(field);
            Class<?> kind = structOf(field);
            boolean struct = Message.class.isAssignableFrom(kind);
            elements.add(struct ? kind.getDeclaredConstructor().newInstance() : plain(kind));
            return elements;
        }
        if (Message.class.isAssignableFrom(field.getType())) {
            Object struct = field.getType().getDeclaredConstructor().newInstance();
            for (Field inner : field.getType().getDeclaredFields()) {
                if (inner.getType() == int.class) {
                    inner.setAccessible(true);
                    inner.set(struct, 77);
                }
            }
            return struct;
        }
        if (field.getType() == boolean.class) {
            return !defaultOf(field);
        }
        return new Filler(true, new Random(1)).single(field.getType());
    }

    static boolean defaultOf(Field field) throws Exception {
        return (boolean) field.get(field.getDeclaringClass().getDeclaredConstructor().newInstance());
    }

    static Object plain(Class<?> kind) {
        if (kind == String.class) {
            return "";
        } else if (kind == Uuid.class) {
            return Uuid.ZERO_UUID;
        }
        return kind == Byte.class ? (Object) (byte) 0 : 0;
    }

    static Field field(Class<?> kind, String name) {
        String wanted = name.replace("_", "");
        for (Field field : kind.getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers()) && field.getName().equalsIgnoreCase(wanted)) {
                field.setAccessible(true);
                return field;
            }
        }
        throw new IllegalStateException(kind + " has no field " + name);
    }

    /** The class of a struct, or of the elements of an array. */
    static Class<?> structOf(Field field) {
        if (field.getType() == List.class) {
            return (Class<?>) ((ParameterizedType) field.getGenericType()).getActualTypeArguments()[0];
        }
        if (Collection.class.isAssignableFrom(field.getType())) {
            ParameterizedType parent = (ParameterizedType) field.getType().getGenericSuperclass();
            return (Class<?>) parent.getActualTypeArguments()[0];
        }
        return field.getType();
    }

    @SuppressWarnings("unchecked")
    static Collection<Object> collection(Field field) throws Exception {
        return field.getType() == List.class
            ? new ArrayList<>()
            : (AbstractCollection<Object>) field.getType().getDeclaredConstructor().newInstance();
    }

    /** Puts one element of defaults into every array that is not null by default. */
    static void fillSparsely(Object message, Schema schema) throws Exception {
        List<org.apache.kafka.common.protocol.types.Field> fields = new ArrayList<>(tagged(schema).values());
        Arrays.stream(schema.fields()).map(field -> field.def).filter(field -> !(field.type instanceof TaggedFields))
            .forEach(fields::add);
        for (org.apache.kafka.common.protocol.types.Field described : fields) {
            Field field = field(message.getClass(), described.name);
            Object value = field.get(message);
            if (value == null) {
                continue;
            }
            if (described.type.isArray()) {
                Collection<Object> elements = collection(field);
                if (described.type.arrayElementType().orElseThrow() instanceof Schema inner) {
                    Object element = structOf(field).getDeclaredConstructor().newInstance();
                    fillSparsely(element, inner);
                    elements.add(element);
                } else {
                    elements.add(plain(structOf(field)));
                }
                field.set(message, elements);
            } else if (described.type instanceof Schema inner) {
                fillSparsely(value, inner);
            }
        }
    }

    static Map<Integer, org.apache.kafka.common.protocol.types.Field> tagged(Schema schema) {
        for (BoundField field : schema.fields()) {
            if (field.def.type instanceof TaggedFields section) {
                return new TreeMap<>(section.fields());
            }
        }
        return Map.of();
    }

    /** Sets every field of a schema: to something, or, unless `full`, sometimes to null, nothing or the default. */
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
            Field field = field(message.getClass(), name);
            field.set(message, value(field, type));
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

        Object elements(Field field, Type type) throws Exception {
            Class<?> kind = structOf(field);
            Collection<Object> elements = collection(field);
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
            } else if (kind == double.class || kind == Double.class) {
                return random.nextDouble();
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
