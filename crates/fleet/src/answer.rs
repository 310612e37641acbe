//! A look at the text of each answer as AWS sent it, beside what the SDK reads out of it.

use std::fmt;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Shows `look` the body of each answer that arrived, that of every attempt; an error it gives is the call's.
pub(crate) fn each_answer<Look>(name: &'static str, look: Look) -> impl Intercept + 'static
where
    Look: Fn(&[u8]) -> Result<(), BoxError> + Send + Sync + 'static,
{
    EachAnswer { name, look }
}

struct EachAnswer<Look> {
    name: &'static str,
    look: Look,
}

impl<Look> fmt::Debug for EachAnswer<Look> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EachAnswer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<Look: Fn(&[u8]) -> Result<(), BoxError> + Send + Sync> Intercept for EachAnswer<Look> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // An answer that did not arrive has failed already, and is asked for again.
        context.response().body().bytes().map_or(Ok(()), &self.look)
    }
}
