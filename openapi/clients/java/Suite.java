// One round trip through every part of a gateway, with the client that is generated for Java.

import aquifer.ApiClient;
import aquifer.ApiException;
import aquifer.api.GroupsApi;
import aquifer.api.RecordsApi;
import aquifer.api.SessionsApi;
import aquifer.api.TopicsApi;
import aquifer.model.CloseSessionRequest;
import aquifer.model.CommitSessionRequest;
import aquifer.model.CreateTopicRequest;
import aquifer.model.OpenSessionRequest;
import aquifer.model.PollSessionRequest;
import aquifer.model.PollSessionResponse;
import aquifer.model.Problem;
import aquifer.model.ProduceHeader;
import aquifer.model.ProduceRecord;
import aquifer.model.ProduceRequest;
import aquifer.model.Record;
import aquifer.model.SeekPosition;
import aquifer.model.SeekSessionRequest;
import aquifer.model.Values;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

class Suite {
  private static final ApiClient client = new ApiClient();

  private final TopicsApi topics = new TopicsApi(client);
  private final RecordsApi records = new RecordsApi(client);
  private final SessionsApi sessions = new SessionsApi(client);
  private final GroupsApi groups = new GroupsApi(client);

  public static void main(String[] arguments) throws Exception {
    client.updateBaseUri(arguments[0]);
    Suite suite = new Suite();
    suite.topic();
    suite.produce();
    suite.read();
    suite.session();
    suite.errors();
    suite.newer();
  }

  /** Something that may be refused. */
  interface Request {
    void send() throws ApiException;
  }

  private static void equal(Object wanted, Object found) {
    if (!Objects.equals(wanted, found)) {
      throw new AssertionError(found + ", not " + wanted);
    }
  }

  private static Problem refused(int status, String code, Request request) throws Exception {
    try {
      request.send();
    } catch (ApiException refusal) {
      Problem problem = client.getObjectMapper().readValue(refusal.getResponseBody(), Problem.class);
      equal(status, refusal.getCode());
      equal(code, problem.getCode());
      equal(false, problem.getHint().isEmpty());
      return problem;
    }
    throw new AssertionError("not refused with " + code);
  }

  private static List<String> offsets(List<Record> records) {
    return records.stream().map(Record::getOffset).toList();
  }

  private void topic() throws Exception {
    var wanted = new CreateTopicRequest().partitions(1).configs(Map.of("retention.ms", "3600000"));
    var made = topics.createTopic("orders", wanted);
    equal("orders", made.getName());
    equal(1, made.getPartitions().size());
    topics.createTopic("orders", new CreateTopicRequest().partitions(1));
    equal(true, topics.listTopics(null, null).getItems().stream().anyMatch(topic -> topic.getName().equals("orders")));
    var configs = topics.getTopic("orders").getConfigs();
    var retention = configs.stream().filter(config -> config.getName().equals("retention.ms")).findFirst();
    equal("3600000", retention.orElseThrow().getValue());
  }

  private void produce() throws Exception {
    var wanted = List.of(
        new ProduceRecord()
            .keyText("k")
            .addHeadersItem(new ProduceHeader().name("origin").valueText("suite"))
            .valueJson(Map.of("amount", 3, "paid", true, "lines", List.of("a"))),
        new ProduceRecord().valueText("grüße"),
        new ProduceRecord().valueBase64("AP8="),
        new ProduceRecord().keyText("k").tombstone(true));
    var written = records.produceRecords("orders", new ProduceRequest().records(wanted), null, null, null, null, null, null);
    equal(0, written.getFailed());
    equal(List.of("0", "1", "2", "3"), written.getResults().stream().map(result -> result.getOffset()).toList());

    // The generated `produceRaw` sends the name of a file in place of what it holds.
    var to = URI.create(client.getBaseUri() + "/v1/topics/orders/records:raw?key=r");
    var body = HttpRequest.newBuilder(to)
        .header("Content-Type", "application/octet-stream")
        .POST(HttpRequest.BodyPublishers.ofString("raw \0"))
        .build();
    equal(200, client.getHttpClient().send(body, HttpResponse.BodyHandlers.discarding()).statusCode());

    var mixed = List.of(
        new ProduceRecord().partition(0).valueText("in"), new ProduceRecord().partition(9).valueText("out"));
    var some = records.produceRecords("orders", new ProduceRequest().records(mixed), null, null, null, null, null, null);
    equal(1, some.getFailed());
    equal("5", some.getResults().get(0).getOffset());
    equal("unknown_partition", some.getResults().get(1).getError().getCode());
  }

  private void read() throws Exception {
    var page = records.readRecords("orders", 0, "earliest", null, null, null, Values.JSON);
    equal(List.of("0", "1", "2", "3", "4", "5"), offsets(page.getRecords()));
    Record first = page.getRecords().get(0);
    equal("k", first.getKeyText());
    equal(Map.of("amount", 3, "paid", true, "lines", List.of("a")), first.getValueJson());
    equal(1, first.getHeaders().size());
    equal("origin", first.getHeaders().get(0).getName());
    equal("suite", first.getHeaders().get(0).getValueText());
    equal("grüße", page.getRecords().get(1).getValueText());
    equal(null, page.getRecords().get(1).getKeyText());
    equal("AP8=", page.getRecords().get(2).getValueBase64());
    equal(true, page.getRecords().get(3).getTombstone());
    equal("raw \0", page.getRecords().get(4).getValueText());
    equal("6", page.getNextOffset());
    equal("6", page.getHighWatermark());
    var end = records.readRecords("orders", 0, page.getCursor(), null, null, null, null);
    equal(List.of(), end.getRecords());
  }

  private PollSessionResponse poll(String token, String after) throws Exception {
    return sessions.pollSession(new PollSessionRequest().token(token).after(after).maxRecords(4).waitMs(5000));
  }

  private void session() throws Exception {
    var wanted = new OpenSessionRequest().topics(List.of("orders")).from("earliest");
    String token = sessions.openSession("billing", wanted).getToken();
    String cursor = null;
    var seen = new ArrayList<String>();
    while (seen.size() < 6) {
      var polled = poll(token, cursor);
      token = polled.getToken();
      cursor = polled.getCursor();
      seen.addAll(offsets(polled.getRecords()));
    }
    equal(List.of("0", "1", "2", "3", "4", "5"), seen);
    var committed = sessions.commitSession(new CommitSessionRequest().token(token).ack(cursor));
    equal(List.of("6"), committed.getCommitted().stream().map(place -> place.getOffset()).toList());
    var lag = groups.getGroupLag("billing");
    equal("6", lag.getItems().get(0).getOffset());
    equal("0", lag.getTotalLag());

    var back = new SeekPosition().topic("orders").partition(0).from("4");
    var sought = sessions.seekSession(new SeekSessionRequest().token(committed.getToken()).addPositionsItem(back));
    var again = poll(sought.getToken(), sought.getCursor());
    equal(List.of("4", "5"), offsets(again.getRecords()));
    var closed = sessions.closeSession(new CloseSessionRequest().token(again.getToken()).ack(again.getCursor()));
    equal(List.of("6"), closed.getCommitted().stream().map(place -> place.getOffset()).toList());
    equal(List.of(), groups.getGroup("billing").getMembers());
    groups.deleteGroup("billing");
  }

  private void errors() throws Exception {
    Problem missing = refused(404, "unknown_topic", () -> topics.getTopic("none"));
    equal(false, missing.getRetryable());
    equal("none", missing.getTopic());
    refused(409, "topic_exists", () -> topics.createTopic("orders", new CreateTopicRequest().partitions(2)));
    Problem beyond = refused(
        416, "offset_out_of_range", () -> records.readRecords("orders", 0, "99", null, null, null, null));
    equal("6", beyond.getLatestOffset());
    refused(400, "invalid_token", () -> sessions.pollSession(new PollSessionRequest().token("x")));
    topics.deleteTopic("orders");
    refused(404, "unknown_topic", () -> topics.deleteTopic("orders"));
  }

  private void newer() throws Exception {
    String text = "{\"type\":\"t\",\"title\":\"t\",\"status\":404,\"detail\":\"d\",\"code\":\"c\",\"retryable\":false,"
        + "\"hint\":\"h\",\"unheard_of\":[1]}";
    equal("c", client.getObjectMapper().readValue(text, Problem.class).getCode());
  }
}
