//! A column of uuids in a file, and parameters of that type.

use std::error::Error;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{ArrayRef, FixedSizeBinaryArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use tempfile::TempDir;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tributary::lake::{ParquetOptions, uuid_field, write_parquet};

use super::failure;
use crate::server::Server;

/// A uuid as drivers send and read it in binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Uuid([u8; 16]);

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(pg: &Type) -> bool {
        *pg == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(pg: &Type) -> bool {
        *pg == Type::UUID
    }
}

const ANA: Uuid = Uuid([0xa; 16]);
const BO: Uuid = Uuid([0xb; 16]);
const ANA_AS_TEXT: &str = "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a";

/// A lake with the table `visitors`: two uuids and their names.
fn visitors() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let schema = Arc::new(Schema::new(vec![uuid_field("id"), Field::new("name", DataType::Utf8, true)]));
    let ids = FixedSizeBinaryArray::try_from_iter([ANA.0, BO.0].into_iter()).expect("16 bytes each");
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(StringArray::from(vec!["Ana", "Bo"]))];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("two columns");
    let path = folder.path().join("visitors.parquet");
    write_parquet(&path, schema, std::iter::once(batch), &ParquetOptions::default()).expect("it is written");
    folder
}

#[tokio::test]
async fn a_row_is_found_by_its_uuid_as_a_parameter() {
    let folder = visitors();
    let server = Server::start(&[format!("shop={}", folder.path().display())]);
    let client = server.connect().await;
    for sql in ["SELECT id, name FROM visitors WHERE id = $1", "SELECT id, name FROM visitors WHERE $1::uuid IN (id)"] {
        let statement = client.prepare(sql).await.expect("the statement is right");
        assert_eq!(statement.params(), [Type::UUID], "{sql}");
        assert_eq!(statement.columns()[0].type_(), &Type::UUID, "{sql}");
        let row = client.query_one(&statement, &[&BO]).await.expect("one row");
        assert_eq!((row.get::<_, Uuid>(0), row.get::<_, &str>(1)), (BO, "Bo"), "{sql}");
    }
    let statement =
        client.prepare("SELECT name FROM visitors WHERE id = ANY($1)").await.expect("the statement is right");
    assert_eq!(statement.params(), [Type::UUID_ARRAY]);
    let row = client.query_one(&statement, &[&vec![ANA]]).await.expect("one row");
    assert_eq!(row.get::<_, &str>(0), "Ana");
}

#[tokio::test]
async fn a_parameter_of_type_uuid_comes_back_as_one() {
    let server = Server::shared();
    let client = server.connect().await;
    let statement = client.prepare("SELECT $1::uuid, $1::uuid::text, $2::uuid").await.expect("the statement is right");
    assert_eq!(statement.params(), [Type::UUID, Type::UUID]);
    let row = client.query_one(&statement, &[&ANA, &None::<Uuid>]).await.expect("one row");
    assert_eq!((row.get::<_, Uuid>(0), row.get::<_, &str>(1)), (ANA, ANA_AS_TEXT));
    assert_eq!(row.get::<_, Option<Uuid>>(2), None);
    // A driver that names the type itself need not write it into the statement.
    let statement = client.prepare_typed("SELECT $1", &[Type::UUID]).await.expect("the statement is right");
    assert_eq!(statement.columns()[0].type_(), &Type::UUID);
    assert_eq!(client.query_one(&statement, &[&BO]).await.expect("one row").get::<_, Uuid>(0), BO);
    // Nor need it know the type.
    let statement = client.prepare_typed("SELECT $1::uuid", &[Type::TEXT]).await.expect("the statement is right");
    assert_eq!(client.query_one(&statement, &[&ANA_AS_TEXT]).await.expect("one row").get::<_, Uuid>(0), ANA);
    let (state, message) = failure(client.query_one(&statement, &[&"tea"]).await);
    assert_eq!((state.as_str(), message.as_str()), ("22P02", "invalid input syntax for type uuid: \"tea\""));
}
