// pgjdbc: metadata as BI tools ask for it, prepared statements, cursors by fetch size. Run by run.sh: java -cp postgresql.jar JdbcClient.java

import java.math.BigDecimal;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.UUID;

public class JdbcClient {
    interface Action {
        void run() throws Exception;
    }

    interface Conversation {
        void run(Connection connection) throws Exception;
    }

    record Check(String sentence, String wrongToday, Action action) {}

    static final List<Check> CHECKS = new ArrayList<>();

    /** A check that a new connection is given to. */
    static void check(String sentence, Conversation conversation) {
        wrongToday(null, sentence, conversation);
    }

    /** A check of a known bug: it says what is right, and must fail until somebody puts it right. */
    static void wrongToday(String reason, String sentence, Conversation conversation) {
        CHECKS.add(new Check(sentence, reason, () -> {
            try (Connection connection = connect()) {
                conversation.run(connection);
            }
        }));
    }

    static Connection connect(String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        for (int i = 0; i < options.length; i += 2) {
            properties.setProperty(options[i], options[i + 1]);
        }
        String place = System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        return DriverManager.getConnection("jdbc:postgresql://" + place, properties);
    }

    static void equal(Object got, Object expected) {
        if (!Objects.equals(got, expected)) {
            throw new AssertionError("expected " + expected + ", got " + got);
        }
    }

    static void contains(String text, String fragment) {
        if (text == null || !text.contains(fragment)) {
            throw new AssertionError("expected '" + fragment + "' in '" + text + "'");
        }
    }

    /** The error of a statement that must fail so. */
    static SQLException fails(String state, Action action) throws Exception {
        try {
            action.run();
        } catch (SQLException error) {
            if (!state.equals(error.getSQLState())) {
                throw new AssertionError("expected " + state + ", got " + error.getSQLState() + ": " + error.getMessage());
            }
            return error;
        }
        throw new AssertionError("expected " + state + ", got an answer");
    }

    /** All rows, each value as the driver makes it. */
    static List<List<Object>> rows(ResultSet result) throws SQLException {
        List<List<Object>> rows = new ArrayList<>();
        int width = result.getMetaData().getColumnCount();
        while (result.next()) {
            List<Object> row = new ArrayList<>();
            for (int column = 1; column <= width; column++) {
                row.add(result.getObject(column));
            }
            rows.add(row);
        }
        return rows;
    }

    static List<List<Object>> ask(Connection connection, String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            return rows(statement.executeQuery());
        }
    }

    static Object value(Connection connection, String sql, Object... values) throws SQLException {
        return ask(connection, sql, values).get(0).get(0);
    }

    /** One column of a metadata answer. */
    static List<String> column(ResultSet result, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (result.next()) {
            values.add(result.getString(name));
        }
        return values;
    }

    static String numbers(int last) {
        return "select n from generate_series(1, " + last + ") as t(n) order by n";
    }

    static void metadata() {
        check("the product says what it is", connection -> {
            DatabaseMetaData metadata = connection.getMetaData();
            equal(metadata.getDatabaseProductName(), "PostgreSQL");
            equal(metadata.getDatabaseMajorVersion(), 16);
            equal(metadata.getUserName(), "ana");
            equal(connection.getCatalog(), "tributary");
            equal(connection.getSchema(), "lake");
        });
        check("catalogs and schemas are listed", connection -> {
            equal(column(connection.getMetaData().getCatalogs(), "TABLE_CAT").contains("tributary"), true);
            List<String> schemas = column(connection.getMetaData().getSchemas(), "TABLE_SCHEM");
            equal(schemas.containsAll(List.of("lake", "public", "pg_catalog", "information_schema")), true);
            equal(column(connection.getMetaData().getSchemas(null, "la%"), "TABLE_SCHEM"), List.of("lake"));
        });
        check("tables and views are listed", connection -> {
            DatabaseMetaData metadata = connection.getMetaData();
            try (Statement statement = connection.createStatement()) {
                statement.execute("create or replace view buyers as select distinct user_id from events where event = 'purchase'");
            }
            List<String> tables = column(metadata.getTables(null, "lake", "%", new String[] {"TABLE"}), "TABLE_NAME");
            equal(tables.containsAll(List.of("ad_spend", "calls", "events", "types")), true);
            equal(column(metadata.getTables(null, "lake", "ev%", null), "TABLE_NAME"), List.of("events"));
            equal(column(metadata.getTables(null, "public", "buyers", null), "TABLE_TYPE"), List.of("VIEW"));
            equal(column(metadata.getTables(null, "pg_catalog", "pg_class", null), "TABLE_TYPE"), List.of("SYSTEM TABLE"));
            equal(column(metadata.getTables("tributary", null, "nowhere", null), "TABLE_NAME"), List.of());
            equal(column(metadata.getTableTypes(), "TABLE_TYPE").containsAll(List.of("TABLE", "VIEW")), true);
            try (Statement statement = connection.createStatement()) {
                statement.execute("drop view buyers");
            }
        });
        check("columns have types of JDBC", connection -> {
            ResultSet columns = connection.getMetaData().getColumns(null, "lake", "events", null);
            List<List<Object>> got = new ArrayList<>();
            while (columns.next()) {
                got.add(Arrays.asList(columns.getString("COLUMN_NAME"), columns.getInt("DATA_TYPE"), columns.getString("TYPE_NAME"),
                        columns.getInt("ORDINAL_POSITION"), columns.getString("IS_NULLABLE")));
            }
            equal(got, List.of(
                    List.of("user_id", Types.VARCHAR, "text", 1, "YES"), List.of("event_time", Types.TIMESTAMP, "timestamp", 2, "YES"),
                    List.of("event", Types.VARCHAR, "text", 3, "YES"), List.of("channel", Types.VARCHAR, "text", 4, "YES"),
                    List.of("revenue", Types.DOUBLE, "float8", 5, "YES")));
        });
        check("a numeric column has precision and scale, an array its type", connection -> {
            ResultSet money = connection.getMetaData().getColumns(null, "lake", "types", "money");
            money.next();
            equal(List.of(money.getInt("DATA_TYPE"), money.getInt("COLUMN_SIZE"), money.getInt("DECIMAL_DIGITS")), List.of(Types.NUMERIC, 18, 2));
            ResultSet numbers = connection.getMetaData().getColumns(null, "lake", "types", "numbers");
            numbers.next();
            equal(List.of(numbers.getInt("DATA_TYPE"), numbers.getString("TYPE_NAME")), List.of(Types.ARRAY, "_int8"));
            ResultSet instant = connection.getMetaData().getColumns(null, "lake", "types", "instant");
            instant.next();
            equal(instant.getString("TYPE_NAME"), "timestamptz");
        });
        check("keys and indexes are none", connection -> {
            DatabaseMetaData metadata = connection.getMetaData();
            equal(rows(metadata.getPrimaryKeys(null, "lake", "events")), List.of());
            equal(rows(metadata.getImportedKeys(null, "lake", "events")), List.of());
            equal(rows(metadata.getExportedKeys(null, "lake", "events")), List.of());
            equal(rows(metadata.getIndexInfo(null, "lake", "events", false, true)), List.of());
        });
        check("no columns identify a row", connection -> {
            DatabaseMetaData metadata = connection.getMetaData();
            equal(rows(metadata.getBestRowIdentifier(null, "lake", "events", DatabaseMetaData.bestRowSession, true)), List.of());
        });
        check("types are listed", connection -> {
            List<String> types = column(connection.getMetaData().getTypeInfo(), "TYPE_NAME");
            equal(types.containsAll(List.of("int8", "text", "timestamp", "numeric", "bool")), true);
        });
        check("functions of ours are listed", connection -> {
            equal(column(connection.getMetaData().getFunctions(null, null, "tag_match"), "FUNCTION_NAME").contains("tag_match"), true);
            equal(column(connection.getMetaData().getProcedures(null, null, "nothing_of_this_name"), "PROCEDURE_NAME"), List.of());
        });
        check("privileges and the rest of the metadata answer", connection -> {
            DatabaseMetaData metadata = connection.getMetaData();
            metadata.getTablePrivileges(null, "lake", "events").close();
            metadata.getColumnPrivileges(null, "lake", "events", "%").close();
            metadata.getUDTs(null, null, "%", null).close();
            contains(metadata.getSQLKeywords(), "ilike");
            contains(metadata.getStringFunctions() + metadata.getNumericFunctions(), "abs");
            equal(metadata.getMaxColumnNameLength(), 63);
            equal(metadata.getDefaultTransactionIsolation(), Connection.TRANSACTION_READ_COMMITTED);
        });
        check("a result describes its columns", connection -> {
            try (PreparedStatement statement = connection.prepareStatement("select user_id, event_time, revenue as earned, count(*) from events group by 1, 2, 3")) {
                ResultSetMetaData described = statement.getMetaData();
                List<String> got = new ArrayList<>();
                for (int column = 1; column <= described.getColumnCount(); column++) {
                    got.add(described.getColumnLabel(column) + " " + described.getColumnTypeName(column) + " " + described.getColumnClassName(column));
                }
                equal(got, List.of("user_id text java.lang.String", "event_time timestamp java.sql.Timestamp", "earned float8 java.lang.Double",
                        "count int8 java.lang.Long"));
            }
            try (Statement statement = connection.createStatement();
                    ResultSet result = statement.executeQuery("select user_id, money, moment from types, events limit 1")) {
                equal(List.of(result.getMetaData().getPrecision(2), result.getMetaData().getScale(2)), List.of(18, 2));
            }
        });
        check("parameters describe themselves", connection -> {
            try (PreparedStatement statement = connection.prepareStatement("select * from events where user_id = ? and event_time > ? and revenue < ? limit ?")) {
                List<String> got = new ArrayList<>();
                for (int i = 1; i <= statement.getParameterMetaData().getParameterCount(); i++) {
                    got.add(statement.getParameterMetaData().getParameterTypeName(i));
                }
                equal(got, List.of("text", "timestamp", "float8", "int8"));
            }
        });
    }

    static void values() {
        wrongToday("a whole number of a statement is a bigint", "a whole number is an integer", connection -> equal(ask(connection, "select 1, 2 + 3, 3000000000"), List.of(List.of(1, 5, 3_000_000_000L))));
        check("numbers, text and booleans come back", connection -> {
            for (Object sent : List.of(true, false, 0, -1, Integer.MAX_VALUE, Long.MIN_VALUE, Long.MAX_VALUE, 0.1, -1.5e300, "", "it's \"quoted\" \\ 茶 🍵")) {
                String type = sent instanceof Boolean ? "boolean" : sent instanceof Integer ? "integer" : sent instanceof Long ? "bigint"
                        : sent instanceof Double ? "double precision" : "text";
                for (int times = 0; times < 6; times++) {
                    equal(value(connection, "select ?::" + type, sent), sent);
                }
            }
            equal(value(connection, "select ?::bigint", (Object) null), null);
        });
        check("decimals come back exactly", connection -> {
            for (String digits : List.of("59.90", "0", "12345678901234567890.123456", "0.10", "-2.00")) {
                equal(((BigDecimal) value(connection, "select ?::numeric(38, 10)", new BigDecimal(digits))).compareTo(new BigDecimal(digits)), 0);
            }
            equal(value(connection, "select money from types where row_id = 1"), new BigDecimal("59.90"));
            equal(value(connection, "select sum(money) from types where money > ?", new BigDecimal("59.89")), new BigDecimal("59.90"));
        });
        check("times come back in every class", connection -> {
            LocalDateTime moment = LocalDateTime.of(2026, 3, 1, 9, 30, 0, 250_000_000);
            try (PreparedStatement statement = connection.prepareStatement("select moment, instant, day from types where moment = ? and instant = ? and day = ?")) {
                statement.setObject(1, moment);
                statement.setObject(2, moment.atOffset(ZoneOffset.UTC));
                statement.setObject(3, LocalDate.of(2026, 3, 1));
                ResultSet result = statement.executeQuery();
                equal(result.next(), true);
                equal(result.getTimestamp(1), Timestamp.valueOf(moment));
                equal(result.getObject(1, LocalDateTime.class), moment);
                equal(result.getTimestamp(2).toInstant(), moment.toInstant(ZoneOffset.UTC));
                equal(result.getObject(2, OffsetDateTime.class), moment.atOffset(ZoneOffset.UTC));
                equal(result.getDate(3), Date.valueOf("2026-03-01"));
                equal(result.getObject(3, LocalDate.class), LocalDate.of(2026, 3, 1));
                equal(result.getString(1), "2026-03-01 09:30:00.25");
            }
            // A Timestamp is sent without a type, so that the server finds it.
            try (PreparedStatement statement = connection.prepareStatement("select count(*) from events where event_time >= ?")) {
                statement.setTimestamp(1, Timestamp.valueOf("2026-03-05 00:00:00"));
                equal(rows(statement.executeQuery()), List.of(List.of(4L)));
            }
        });
        check("a date is a parameter", connection -> {
            try (PreparedStatement statement = connection.prepareStatement("select count(*) from ad_spend where day = ?")) {
                statement.setDate(1, Date.valueOf("2026-03-01"));
                equal(rows(statement.executeQuery()), List.of(List.of(2L)));
            }
        });
        check("a time of day comes back", connection -> {
            try (PreparedStatement statement = connection.prepareStatement("select ?::time")) {
                statement.setObject(1, LocalTime.of(9, 30));
                ResultSet result = statement.executeQuery();
                result.next();
                equal(result.getObject(1, LocalTime.class), LocalTime.of(9, 30));
            }
        });
        check("uuids and bytes come back", connection -> {
            UUID visitor = UUID.fromString("00112233-4455-6677-8899-aabbccddeeff");
            equal(value(connection, "select ?::uuid", visitor), visitor);
            equal(Arrays.toString((byte[]) value(connection, "select ?::bytea", (Object) new byte[] {0, -1, 92})), "[0, -1, 92]");
            equal(Arrays.toString((byte[]) value(connection, "select bytes from types where row_id = 1")), "[0, -1, 92]");
        });
        check("arrays come back", connection -> {
            try (Statement statement = connection.createStatement();
                    ResultSet result = statement.executeQuery("select numbers, names, amounts from types where row_id = 1")) {
                result.next();
                equal(Arrays.asList((Object[]) result.getArray(1).getArray()), Arrays.asList(1L, null, 3L));
                equal(Arrays.asList((Object[]) result.getArray(2).getArray()), Arrays.asList("a", "b,c", "\"d\"", null, ""));
                equal(result.getArray(3).getBaseTypeName(), "numeric");
                equal(Arrays.asList((Object[]) result.getArray(3).getArray()), Arrays.asList(new BigDecimal("0.10"), new BigDecimal("-2.00")));
            }
        });
        check("arrays choose rows", connection -> {
            Array users = connection.createArrayOf("text", new Object[] {"Ana", "李雷", null});
            equal(value(connection, "select count(*) from events where user_id = any(?)", users), 6L);
            Array calls = connection.createArrayOf("int8", new Object[] {1L, 3L});
            equal(value(connection, "select count(*) from calls where call_id = any(?)", calls), 2L);
        });
        check("intervals and JSON are objects of PostgreSQL", connection -> {
            equal(value(connection, "select took from types where row_id = 1").toString(), "0 years 0 mons 1 days 2 hours 0 mins 1.0 secs");
            equal(value(connection, "select props from types where row_id = 1").toString().replace(" ", ""), "{\"utm\":\"spring\"}");
        });
        check("a statement prepared on the server after five runs answers the same in binary", connection -> {
            try (PreparedStatement statement = connection.prepareStatement("select i64, f64, money, moment, instant, day, name from types where row_id = ?")) {
                List<List<List<Object>>> answers = new ArrayList<>();
                for (int times = 0; times < 8; times++) {
                    statement.setLong(1, 1);
                    answers.add(rows(statement.executeQuery()));
                }
                equal(answers.get(0).size(), 1);
                equal(answers.stream().distinct().count(), 1L);
            }
        });
        check("a funnel takes parameters", connection -> {
            String sql = "select user_id, funnel(event_time, ?::interval, event = ?, event = ?, event = ?) from events group by user_id order by user_id";
            equal(ask(connection, sql, "7 days", "page_view", "add_to_cart", "purchase"),
                    List.of(List.of("Ana", 3), List.of("Bo", 1), List.of("Eve", 0), List.of("李雷", 2), List.of("韩梅梅", 1)));
            equal(ask(connection, "select funnel_times(event_time, ?, event = ?, event = ?)[2] from events where user_id = 'Ana'", "7 days", "page_view", "purchase"),
                    List.of(List.of(Timestamp.valueOf("2026-03-08 09:00:00"))));
        });
        check("the escapes of JDBC are written as PostgreSQL's", connection -> {
            equal(ask(connection, "select {fn ucase('a')}, {d '2026-03-01'}, {ts '2026-03-01 09:30:00'}, {fn concat('a', 'b')}, {fn length('abc')}"),
                    List.of(List.of("A", Date.valueOf("2026-03-01"), Timestamp.valueOf("2026-03-01 09:30:00"), "ab", 3)));
        });
        check("a question mark may be an operator", connection -> equal(value(connection, "select 'a' ~ '^[a?]$' and ? = 1", 1), true));
    }

    static void cursors() {
        check("a fetch size reads in portions", connection -> {
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(1000);
                ResultSet result = statement.executeQuery(numbers(10_500));
                long count = 0, sum = 0;
                while (result.next()) {
                    count++;
                    sum += result.getLong(1);
                }
                equal(List.of(count, sum), List.of(10_500L, 10_500L * 10_501 / 2));
            }
            connection.commit();
        });
        check("two cursors of one transaction are read in turns", connection -> {
            connection.setAutoCommit(false);
            try (PreparedStatement one = connection.prepareStatement(numbers(2500)); PreparedStatement other = connection.prepareStatement(numbers(2500))) {
                one.setFetchSize(7);
                other.setFetchSize(100);
                ResultSet left = one.executeQuery(), right = other.executeQuery();
                while (left.next()) {
                    equal(right.next(), true);
                    equal(left.getLong(1), right.getLong(1));
                }
                equal(right.next(), false);
            }
        });
        check("a long answer left early leaves a connection that works", connection -> {
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(10);
                ResultSet result = statement.executeQuery(numbers(3_000_000));
                result.next();
                equal(result.getLong(1), 1L);
            }
            connection.commit();
            equal(value(connection, "select 'on'"), "on");
        });
        check("a scrollable result goes back", connection -> {
            try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY)) {
                ResultSet result = statement.executeQuery(numbers(100));
                result.last();
                equal(List.of(result.getRow(), result.getInt(1)), List.of(100, 100));
                result.absolute(5);
                equal(result.getInt(1), 5);
            }
        });
        check("a limit of rows is kept", connection -> {
            try (Statement statement = connection.createStatement()) {
                statement.setMaxRows(10);
                equal(rows(statement.executeQuery(numbers(1000))).size(), 10);
            }
        });
        check("a cursor of SQL is fetched", connection -> {
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.execute("declare \"SQL_CUR7f\" cursor for " + numbers(10));
                equal(rows(statement.executeQuery("fetch 3 from \"SQL_CUR7f\"")).size(), 3);
                equal(rows(statement.executeQuery("fetch all in \"SQL_CUR7f\"")).size(), 7);
                statement.execute("close \"SQL_CUR7f\"");
            }
        });
    }

    static void sessions() {
        check("a level of isolation is kept", connection -> {
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            equal(connection.getTransactionIsolation(), Connection.TRANSACTION_SERIALIZABLE);
        });
        check("a transaction commits and rolls back", connection -> {
            connection.setAutoCommit(false);
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            connection.setReadOnly(true);
            equal(value(connection, "select 'on'"), "on");
            fails("22012", () -> ask(connection, "select 1 / ?", 0));
            fails("25P02", () -> ask(connection, "select 1"));
            connection.rollback();
            equal(value(connection, "select 'on'"), "on");
            connection.commit();
        });
        check("a savepoint takes back what came after it", connection -> {
            connection.setAutoCommit(false);
            ask(connection, "select 1");
            Savepoint savepoint = connection.setSavepoint("before");
            fails("22012", () -> ask(connection, "select 1 / 0"));
            connection.rollback(savepoint);
            equal(value(connection, "select 'on'"), "on");
            connection.releaseSavepoint(savepoint);
            connection.commit();
        });
        check("an automatic savepoint saves a transaction from an error", connection -> {
            try (Connection saved = connect("autosave", "always")) {
                saved.setAutoCommit(false);
                ask(saved, "select 1");
                fails("22012", () -> ask(saved, "select 1 / 0"));
                equal(value(saved, "select 'on'"), "on");
                saved.commit();
            }
        });
        check("a schema of the connection is looked in first", connection -> {
            try (Connection other = connect("currentSchema", "pg_catalog,lake")) {
                equal(value(other, "show search_path"), "pg_catalog,lake");
            }
            connection.setSchema("public");
            equal(connection.getSchema(), "public");
        });
        check("errors have their state", connection -> {
            contains(fails("42703", () -> ask(connection, "select chanel from events")).getMessage(), "Perhaps you meant the column \"channel\"");
            fails("42P01", () -> ask(connection, "select * from nowhere"));
            fails("42601", () -> ask(connection, "selec 1"));
            fails("22P02", () -> ask(connection, "select ?::integer", "twelve"));
            fails("3D000", () -> DriverManager.getConnection("jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/nowhere",
                    "ana", "").close());
        });
        check("a timeout and a cancel stop the statement", connection -> {
            String slow = "select sum(a.n * b.n) from generate_series(1, 100000000) as a(n), generate_series(1, 1000) as b(n)";
            try (Statement statement = connection.createStatement()) {
                statement.setQueryTimeout(1);
                contains(fails("57014", () -> statement.executeQuery(slow)).getMessage(), "user request");
            }
            equal(value(connection, "select 'on'"), "on");
        });
        check("several statements in one text give several results", connection -> {
            try (Statement statement = connection.createStatement()) {
                equal(statement.execute("select 'one'; select 'two'"), true);
                equal(rows(statement.getResultSet()), List.of(List.of("one")));
                equal(statement.getMoreResults(), true);
                equal(rows(statement.getResultSet()), List.of(List.of("two")));
            }
        });
        check("a batch of definitions runs", connection -> {
            try (Statement statement = connection.createStatement()) {
                statement.addBatch("create view batched as select 1 as x");
                statement.addBatch("drop view batched");
                equal(Arrays.toString(statement.executeBatch()), "[0, 0]");
                statement.executeUpdate("create or replace view told as select 1 as x");
                contains(statement.getWarnings().getMessage(), "until the server stops");
                statement.executeUpdate("drop view told");
            }
        });
        check("a prepared statement survives a view that was replaced", connection -> {
            try (Statement statement = connection.createStatement(); PreparedStatement prepared = connection.prepareStatement("select x from replaced")) {
                statement.execute("create view replaced as select 1::bigint as x");
                try {
                    for (int times = 0; times < 8; times++) {
                        equal(rows(prepared.executeQuery()), List.of(List.of(1L)));
                    }
                    statement.execute("drop view replaced");
                    statement.execute("create view replaced as select 'two' as x");
                    equal(rows(prepared.executeQuery()), List.of(List.of("two")));
                } finally {
                    statement.execute("drop view replaced");
                }
            }
        });
        check("a statement of the simple protocol answers the same", connection -> {
            try (Connection simple = connect("preferQueryMode", "simple")) {
                equal(ask(simple, "select user_id, revenue from events where event = ? and revenue > ? order by user_id", "purchase", 20.5),
                        List.of(List.of("Ana", 59.9), List.of("Bo", 120.0)));
            }
        });
        check("a connection is valid and its settings are set", connection -> {
            equal(connection.isValid(5), true);
            connection.setClientInfo("ApplicationName", "report");
            equal(value(connection, "show application_name"), "report");
            connection.setNetworkTimeout(Runnable::run, 5000);
        });
    }

    public static void main(String[] arguments) {
        metadata();
        values();
        cursors();
        sessions();
        int passed = 0, failed = 0;
        for (Check check : CHECKS) {
            if (arguments.length > 0 && Arrays.stream(arguments).noneMatch(check.sentence()::contains)) {
                continue;
            }
            Throwable error = null;
            try {
                check.action().run();
            } catch (Throwable caught) { // Whatever a driver raises is the news.
                error = caught;
            }
            boolean asExpected = (error == null) == (check.wrongToday() == null);
            passed += asExpected ? 1 : 0;
            failed += asExpected ? 0 : 1;
            if (error != null && asExpected) {
                System.out.println("wrong today: " + check.sentence() + ": " + check.wrongToday());
            } else if (error != null) {
                String line = Arrays.stream(error.getStackTrace()).filter(frame -> frame.getClassName().equals("JdbcClient") && frame.getMethodName().startsWith("lambda"))
                        .findFirst().map(frame -> " (line " + frame.getLineNumber() + ")").orElse("");
                System.out.println("FAILED: " + check.sentence() + line + "\n  " + error);
            } else if (!asExpected) {
                System.out.println("FAILED: " + check.sentence() + "\n  this is right now: take the mark 'wrong today' off");
            }
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
