// The official clients as any Job has them: all they know of the gateway stands in their environment.
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';

const said = {};
const openai = new OpenAI();
const anthropic = new Anthropic();
const ask = [{ role: 'user', content: 'say some words' }];

const chat = await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: ask });
said.chat = [chat.choices[0].message.content.length, chat.usage.completion_tokens];

let text = '', withUsage = 0;
for await (const chunk of await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: ask, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? '';
  if ('usage' in chunk) withUsage++;
}
said.chatStream = [text.length, withUsage];

let usage = null;
for await (const chunk of await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: ask, stream: true, stream_options: { include_usage: true } })) usage = chunk.usage ?? usage;
said.chatStreamWithUsage = usage.completion_tokens;

const response = await openai.responses.create({ model: 'gpt-5-mini', input: 'say some words' });
said.responses = [response.output_text.length, response.usage.output_tokens];

let final = null;
for await (const event of await openai.responses.create({ model: 'gpt-5-mini', input: 'say some words', stream: true })) if (event.type === 'response.completed') final = event.response;
said.responsesStream = final.usage.output_tokens;

const embedding = await openai.embeddings.create({ model: 'text-embedding-3-small', input: 'two words', encoding_format: 'float' });
said.embeddings = embedding.data[0].embedding;

const message = await anthropic.messages.create({ model: 'claude-haiku-4-5', max_tokens: 20, messages: ask });
said.messages = [message.content[0].text.length, message.usage.output_tokens];

const stream = anthropic.messages.stream({ model: 'claude-haiku-4-5', max_tokens: 20, messages: ask });
const whole = await stream.finalMessage();
said.messagesStream = [whole.content[0].text.length, whole.usage.output_tokens];

said.countTokens = (await anthropic.messages.countTokens({ model: 'claude-haiku-4-5', messages: ask })).input_tokens;

try {
  await openai.files.list();
} catch (error) {
  said.files = error.status;
}

console.log(JSON.stringify(said));
